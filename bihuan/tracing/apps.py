from django.apps import AppConfig


class TracingConfig(AppConfig):
    name = "bihuan.tracing"
    label = "tracing"

    def ready(self) -> None:
        from bihuan.registry import outbox
        from bihuan.tracing import notices, purposes, retention, retention_clusters, retention_investigations

        retention.register()
        purposes.register()
        retention_investigations.register()
        retention_clusters.register()
        outbox.register_words(notices.OVER_LIMIT, notices.over_limit_in_words)
