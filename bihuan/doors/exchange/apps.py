from django.apps import AppConfig


class ExchangeConfig(AppConfig):
    name = "bihuan.doors.exchange"
    label = "exchange"

    def ready(self) -> None:
        from django.utils.translation import gettext as _
        from django.utils.translation import gettext_lazy

        from bihuan.registry.purposes import register_purpose

        register_purpose(
            "export.investigation",
            lambda id: _("report of investigation %(id)s, as a file") % {"id": id},
            parts=1,
            herself=gettext_lazy("report of an investigation, as a file"),
        )
