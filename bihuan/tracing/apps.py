from django.apps import AppConfig


class TracingConfig(AppConfig):
    name = "bihuan.tracing"
    label = "tracing"

    def ready(self) -> None:
        from bihuan.registry import outbox
        from bihuan.tracing.actions import gates
        from bihuan.tracing import retention, retention_clusters, retention_investigations

        retention.register()
        retention_investigations.register()
        retention_clusters.register()
        outbox.register_words(gates.OVER_LIMIT, gates.over_limit_in_words)
