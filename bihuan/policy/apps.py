from django.apps import AppConfig


class PolicyConfig(AppConfig):
    name = "bihuan.policy"
    label = "policy"

    def ready(self) -> None:
        from django.utils.translation import gettext

        from bihuan.policy import errors

        errors.speak_with(gettext)
