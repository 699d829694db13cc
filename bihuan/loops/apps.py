from django.apps import AppConfig


class LoopsConfig(AppConfig):
    name = "bihuan.loops"
    label = "loops"

    def ready(self) -> None:
        from bihuan.loops.actions import notices
        from bihuan.loops.actions.retention import open_loops
        from bihuan.registry import outbox, shredder

        outbox.register_words(notices.TODAY, notices.today_in_words)
        outbox.register_words(notices.ESCALATED, notices.escalated_in_words)
        shredder.register_hold("open_loops", open_loops)
