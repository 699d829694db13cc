"""Why two records look like one person, in words: what agrees, what contradicts, and its points."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.utils.translation import gettext as _

from bihuan.registry.likeness import Reason


def reasons_of(kept: Iterable[Mapping[str, Any]]) -> list[Reason]:
    """Reasons as a suspected pair keeps them."""
    return [Reason(str(one["field"]), str(one["how"]), int(one["points"])) for one in kept]


def spoken(why: Iterable[Reason]) -> list[str]:
    """Each reason with its points: 姓名相同 +45."""
    words = _words()
    return [f"{words.get((r.field, r.how), f'{r.field} {r.how}')} {_signed(r.points)}" for r in why]


def _signed(points: int) -> str:
    return f"+{points}" if points >= 0 else f"−{-points}"


def _words() -> dict[tuple[str, str], str]:
    return {
        ("name", "same"): _("same name"),
        ("name", "sounds_same"): _("names sound the same"),
        ("name", "close"): _("names are close"),
        ("date_birth", "same"): _("same date of birth"),
        ("date_birth", "near"): _("dates of birth a slip apart"),
        ("date_birth", "year_fits"): _("year of birth fits"),
        ("date_birth", "differs"): _("birth differs"),
        ("phone", "same"): _("same phone"),
        ("address", "same"): _("same address"),
        ("address", "close"): _("addresses are close"),
        ("address", "differs"): _("address differs"),
        ("territory_code", "same"): _("same county"),
        ("sex", "same"): _("same sex"),
        ("sex", "differs"): _("sex differs"),
        ("id_number", "same"): _("same document number"),
        ("id_number", "differs"): _("two documents of one kind"),
    }
