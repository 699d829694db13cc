from django.apps import AppConfig


class WebConfig(AppConfig):
    name = "bihuan.doors.web"
    label = "web"

    def ready(self) -> None:
        from bihuan.doors.web import purposes

        purposes.register()
