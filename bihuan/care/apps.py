from django.apps import AppConfig


class CareConfig(AppConfig):
    name = "bihuan.care"
    label = "care"
