from django.apps import AppConfig


class WebConfig(AppConfig):
    name = "bihuan.doors.web"
    label = "web"
