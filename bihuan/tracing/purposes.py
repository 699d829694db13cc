"""How the log of reads says what looks at visits were for, in the reader's language."""

from __future__ import annotations

from collections.abc import Callable

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from bihuan.registry.purposes import register_purpose

#: What a look showed, by its kind (`models.VisitLook.kind`).
LOOKS = {
    "track": gettext_lazy("where a case was"),
    "met": gettext_lazy("who was where a case was"),
    "place": gettext_lazy("who was at a place"),
    "common": gettext_lazy("where cases were together"),
    "stranger": gettext_lazy("what gates registered of a number"),
}
#: The same as somebody is told who was seen by it.
LOOKS_TOLD = {
    "track": gettext_lazy("investigation: where a case was"),
    "met": gettext_lazy("investigation: who was where a case was"),
    "place": gettext_lazy("investigation: who was at a place"),
    "common": gettext_lazy("investigation: where cases were together"),
    "stranger": gettext_lazy("investigation: what gates registered of a number"),
}
#: What an investigation is usually for; forms propose it.
FIND_OUT = "investigation.find-out"


def register() -> None:
    """Called once, when the room is ready."""
    for kind in LOOKS:
        register_purpose(f"look.{kind}", _look(kind), parts=1, herself=LOOKS_TOLD[kind])
        register_purpose(f"look.{kind}.for", _look_for(kind), parts=2, herself=LOOKS_TOLD[kind])
    register_purpose(
        FIND_OUT,
        gettext_lazy("Find where the case was infected, where it was, and whom it met"),
        proposed=True,
    )


def _look(kind: str) -> Callable[[str], str]:
    return lambda investigation: (
        _("Investigation %(id)s: %(what)s") % {"id": investigation, "what": LOOKS[kind]}
    )


def _look_for(kind: str) -> Callable[[str, str], str]:
    return lambda investigation, purpose: f"{_look(kind)(investigation)} ({purpose})"
