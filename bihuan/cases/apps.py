from django.apps import AppConfig


class CasesConfig(AppConfig):
    name = "bihuan.cases"
    label = "cases"

    def ready(self) -> None:
        from bihuan.loops.actions.duties import only_by_action

        only_by_action("case.investigated")  # needs a track, or the stated reason why none is kept (D1-11)
