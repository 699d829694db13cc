from django.apps import AppConfig


class LoopsConfig(AppConfig):
    name = "bihuan.loops"
    label = "loops"

    def ready(self) -> None:
        from bihuan.loops.actions.retention import open_loops
        from bihuan.registry import shredder

        shredder.register_hold("open_loops", open_loops)
