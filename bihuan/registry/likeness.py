"""How much two reports look like one person. Pure.

Points are added per field, in the manner of record linkage by evidence (Fellegi and Sunter 1969): agreement
adds, contradiction takes away, silence does nothing. The points are set so that a report is held up to a
human only with two independent agreements, a told name among them; each answer lists its points. They
suggest and never decide: joining two records is a verb of a person.

Not compared: people whose name is not told (empty, 某某, "Case 12"). Line lists of age, sex and a local
number say nothing of identity, so their records never resemble each other, whatever agrees; only the same
document number joins such a record to another.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Final

from rapidfuzz import fuzz
from rapidfuzz.distance import Indel

from bihuan.registry import names

SURE: Final = 100
SUGGEST: Final = 70

_NAME: Final = {"same": 45, "sounds_same": 38, "close": 22}
_BIRTH: Final = {"same": 40, "near": 20, "year_fits": 8, "differs": -40}
_PHONE: Final = {"same": 35}
_ADDRESS: Final = {"same": 20, "close": 10, "differs": -5}
_PLACE: Final = {"same": 5}
_SEX: Final = {"same": 2, "differs": -20}
_DOCUMENT: Final = {"differs": -100}

_CLOSE_NAME: Final = 0.66
_CLOSE_LATIN_NAME: Final = 0.85
_SAME_ADDRESS: Final = 0.92
_CLOSE_ADDRESS: Final = 0.75
_COUNTY_DIGITS: Final = 6


@dataclass(frozen=True, slots=True, repr=False)
class Likeness:
    """What is compared of a person. `key`, `pinyin` as in `registry.names`; "" and None are silence."""

    name: str
    key: str
    pinyin: str
    sex: str
    date_birth: date | None
    birth_year: int | None
    id_kind: str
    id_index: str
    phone_index: str
    address: str
    territory_code: str


@dataclass(frozen=True, slots=True)
class Reason:
    """One agreement or contradiction: which field, how, and its points."""

    field: str
    how: str
    points: int


def compare(a: Likeness, b: Likeness) -> tuple[int, tuple[Reason, ...]]:
    """Score 0 to 100 with its reasons. 100 only for the same document number."""
    if a.id_index and a.id_index == b.id_index:
        return SURE, (Reason("id_number", "same", SURE),)
    if not a.key or not b.key:
        return 0, ()
    name = _name(a, b)
    if name is None:
        return 0, ()
    found = [
        ("name", _NAME, name),
        ("date_birth", _BIRTH, _birth(a, b)),
        ("phone", _PHONE, _phone(a, b)),
        ("address", _ADDRESS, _address(a, b)),
        ("territory_code", _PLACE, _place(a, b)),
        ("sex", _SEX, _sex(a, b)),
        ("id_number", _DOCUMENT, _document(a, b)),
    ]
    reasons = tuple(Reason(field, how, points[how]) for field, points, how in found if how)
    return max(0, min(SURE - 1, sum(reason.points for reason in reasons))), reasons


def _name(a: Likeness, b: Likeness) -> str | None:
    if a.name == b.name:
        return "same"
    if a.key == b.key or a.pinyin == b.pinyin:
        return "sounds_same"
    if names.is_han(a.name) and names.is_han(b.name):
        return "close" if Indel.normalized_similarity(a.name, b.name) >= _CLOSE_NAME else None
    return "close" if Indel.normalized_similarity(a.key, b.key) >= _CLOSE_LATIN_NAME else None


def _birth(a: Likeness, b: Likeness) -> str | None:
    if a.date_birth and b.date_birth:
        return _two_dates(a.date_birth, b.date_birth)
    if a.birth_year is None or b.birth_year is None:
        return None
    return "year_fits" if abs(a.birth_year - b.birth_year) <= 1 else "differs"


def _two_dates(a: date, b: date) -> str:
    """A slip of the pen leaves two of year, month and day, or swaps day and month."""
    if a == b:
        return "same"
    if a.year == b.year and (a.month, a.day) == (b.day, b.month):
        return "near"
    agreeing = (a.year == b.year) + (a.month == b.month) + (a.day == b.day)
    return "near" if agreeing == 2 and abs(a.year - b.year) <= 10 else "differs"


def _phone(a: Likeness, b: Likeness) -> str | None:
    return "same" if a.phone_index and a.phone_index == b.phone_index else None


def _address(a: Likeness, b: Likeness) -> str | None:
    if not a.address or not b.address:
        return None
    likeness = max(fuzz.ratio(a.address, b.address), fuzz.token_sort_ratio(a.address, b.address)) / 100
    if likeness >= _SAME_ADDRESS:
        return "same"
    return "close" if likeness >= _CLOSE_ADDRESS else "differs"


def _place(a: Likeness, b: Likeness) -> str | None:
    return "same" if a.territory_code[:_COUNTY_DIGITS] == b.territory_code[:_COUNTY_DIGITS] else None


def _sex(a: Likeness, b: Likeness) -> str | None:
    if a.sex not in ("M", "F") or b.sex not in ("M", "F"):
        return None
    return "same" if a.sex == b.sex else "differs"


def _document(a: Likeness, b: Likeness) -> str | None:
    both = a.id_index and b.id_index and a.id_kind == b.id_kind
    return "differs" if both and a.id_index != b.id_index else None
