from django.apps import AppConfig


class DrillConfig(AppConfig):
    name = "bihuan.drill"
    label = "drill"
