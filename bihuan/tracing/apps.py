from django.apps import AppConfig


class TracingConfig(AppConfig):
    name = "bihuan.tracing"
    label = "tracing"
