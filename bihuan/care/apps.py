from django.apps import AppConfig


class CareConfig(AppConfig):
    name = "bihuan.care"
    label = "care"

    def ready(self) -> None:
        from bihuan.care import retention

        retention.register()
