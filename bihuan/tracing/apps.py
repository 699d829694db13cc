from django.apps import AppConfig


class TracingConfig(AppConfig):
    name = "bihuan.tracing"
    label = "tracing"

    def ready(self) -> None:
        from bihuan.tracing import retention, retention_investigations

        retention.register()
        retention_investigations.register()
