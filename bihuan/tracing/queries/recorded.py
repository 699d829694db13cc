"""How an entry record came about, in the reader's words."""

from __future__ import annotations

from django.utils.translation import gettext as _

from bihuan.tracing.rules.recorded import shows_presence


def recorded_words(word: str | None, *, judged: bool = False) -> str:
    """What is said of a word of `rules.recorded`; "" for None (not an entry record, or it was not read).
    Once a person has `judged` the entry, that stands beside it, and how it was recorded says no more."""
    if word is None:
        return ""
    said = {
        "code": _("code scanned"),
        "card": _("card read"),
        "face": _("face recognized"),
        "hand": _("registered by staff"),
        "gate": _("seen at the gate"),
        "self": _("told by a phone"),
        "interview": _("told in an interview"),
        "transport": _("on a carrier's record"),
    }.get(word, _("how recorded is not said"))
    return said if judged or shows_presence(word) else _("%(how)s, unconfirmed") % {"how": said}
