"""What asking the gates about many numbers brought, in a few sentences that say what to do next."""

from __future__ import annotations

from typing import Final

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from bihuan.tracing.actions.proposals_ask import Asked

#: Places named whose registers are to be asked for; the filter of the list has all.
PLACES_SHOWN: Final = 3


def asked_words(done: Asked) -> str:
    """How many names came up, how many are missing, and whom to ask then."""
    missing, unnamed = len(done.unregistered), len(done.unnamed)
    told = (
        (done.named, _named(done.named)),
        (done.known, _known(done.known)),
        (done.elsewhere, _elsewhere(done.elsewhere)),
        (unnamed, _unnamed(unnamed)),
        (missing, _missing(missing)),
    )
    lines = [(text % {"n": n, "where": _where(done)}).strip() for n, text in told if n]
    return " ".join(lines) or _("Of those chosen it is known already who they are.")


def _named(n: int) -> str:
    return ngettext(
        "%(n)s told a name at a gate, unverified: call before you decide.",
        "%(n)s told a name at a gate, unverified: call before you decide.",
        n,
    )


def _known(n: int) -> str:
    return ngettext("%(n)s is in the register by now.", "%(n)s are in the register by now.", n)


def _elsewhere(n: int) -> str:
    return ngettext("%(n)s lives elsewhere: ask that county.", "%(n)s live elsewhere: ask their county.", n)


def _unnamed(n: int) -> str:
    return ngettext(
        "%(n)s told a gate no name: open it, and call.", "%(n)s told a gate no name: open each, and call.", n
    )


def _missing(n: int) -> str:
    return ngettext(
        "No gate of this territory registered %(n)s of them in these days, or it is deleted by now: "
        "ask the place for its register, then enter who it was. %(where)s",
        "No gate of this territory registered %(n)s of them in these days, or it is deleted by now: "
        "ask the places for their registers, then enter who it was. %(where)s",
        n,
    )


def _where(done: Asked) -> str:
    where = _(", ").join(f"{name} ({n})" for name, n in done.places[:PLACES_SHOWN])
    return f"{where} …" if len(done.places) > PLACES_SHOWN else where
