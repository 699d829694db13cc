from django.apps import AppConfig


class ApiConfig(AppConfig):
    name = "bihuan.doors.api"
    label = "api"
