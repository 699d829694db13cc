"""One person named for several cases: which naming decides how long she is observed. Whole local days; pure.

Each naming (the contact record's own, and every further exposure) obliges by itself until its days are over;
the longest wins. One that no longer counts (its case was excluded, or it was an error) leaves what the others
say.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class Naming:
    """One naming of a contact. `key` is 0 for the record's own, else that of the further exposure. `case` is
    None where the source is not known, `last` where the day is not. `stands` is False once it no longer
    counts."""

    key: int
    case: int | None
    last: date | None
    stands: bool = True


def deciding_last(namings: Iterable[Naming]) -> date | None:
    """The last exposure that decides: the latest of those that stand, None if none of them tells a day."""
    return max((n.last for n in namings if n.stands and n.last is not None), default=None)


def is_obliged(namings: Iterable[Naming]) -> bool:
    """Whether anything still obliges: any naming that stands, also one that tells neither day nor case."""
    return any(n.stands for n in namings)


def is_told(namings: Iterable[Naming], case: int | None, last: date | None) -> bool:
    """Does a naming for the same case say as much already, with no earlier day?"""
    same = [n for n in namings if n.stands and n.case == case]
    return any(last is None or (n.last is not None and n.last >= last) for n in same)


def own_last(kept: date | None, *, first: date | None, deciding: date | None) -> date | None:
    """The last exposure a record's own naming told. `kept` is what was put aside when a further exposure
    moved the `deciding` one; where nothing was, that is the own one, unless the own naming told no day
    (`first` None)."""
    if kept is not None:
        return kept
    return deciding if first is not None else None
