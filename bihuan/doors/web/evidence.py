"""What proved a step, in the reader's words: codes by the labels of the verbs' own fields, times as people
say them, readings with their unit. Nothing here is looked up; what has no word stays as it stands."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime
from functools import cache
from typing import Any, Final

from django.utils import timezone
from django.utils.translation import gettext as _

from bihuan.care.queries.words import DECISION_LABELS, END_LABELS, ORDER_KIND_LABELS, SYMPTOM_LABELS
from bihuan.care.verbs import VERBS, Field
from bihuan.cases.queries.words import (
    CLASSIFICATION_LABELS,
    ORIGIN_LABELS,
    OUTCOME_LABELS,
    RESULT_LABELS,
    SEVERITY_LABELS,
)
from bihuan.doors.web import words
from bihuan.registry import clock
from bihuan.tracing.queries.words import EXPOSURE_LABELS

Pairs = Iterable[tuple[str, Any]]

#: Keys of the machine, not of the reader.
HIDDEN: Final = (
    "at", "duty", "organization_id", "order_running", "observe_ends_at", "test_day_one",
    "two_stages", "stage", "stage_until", "stage_ends_at", "home_from",
)  # fmt: skip
LONGEST: Final = 120
#: The words behind a key of evidence, for facts that were not typed into a form of their own.
_WORDS: Final[Mapping[str, tuple[Pairs, ...]]] = {
    "classification": (CLASSIFICATION_LABELS,),
    "severity": (SEVERITY_LABELS,),
    "origin": (ORIGIN_LABELS,),
    "outcome": (OUTCOME_LABELS,),
    "result": (RESULT_LABELS,),
    "recheck": (RESULT_LABELS,),
    "symptoms": (SYMPTOM_LABELS,),
    "kind": (EXPOSURE_LABELS, ORDER_KIND_LABELS),
    "order_kind": (ORDER_KIND_LABELS,),
    "exposure_kind": (EXPOSURE_LABELS,),
    "reason": (END_LABELS,),
    "decision": (DECISION_LABELS,),
}
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d")


def said(given: Mapping[str, Any] | None, *, verb: str = "") -> str:
    """The values of some evidence in one short line; `verb` is the one whose form they were typed into."""
    fields = {field.name: field for field in _fields(verb)}
    parts = []
    for key, value in (given or {}).items():
        if key in HIDDEN or value in (None, "", [], False):
            continue
        parts.append(_one(key, value, fields.get(key) or _known().get(key)))
    return " · ".join(part for part in parts if part)[:LONGEST]


def word(key: str, value: Any) -> str:
    """One value of a field: the label of a code, a day as people say it, anything else as it stands."""
    text = str(value)
    return _day(text) if _DATE.fullmatch(text) else _label(key, text, _known().get(key))


def field_word(key: str) -> str:
    """What a field is called, such as 发病日期 for `date_onset`; an unknown one as it stands."""
    found = _known().get(key)
    return str(found.label) if found else key


def line(text: str) -> str:
    """A line of codes, as an order keeps its evidence (K-…; household; 2020-02-14), with words for codes."""
    return "; ".join(_bare(part.strip()) for part in text.split(";"))


def readings(given: Iterable[Mapping[str, Any] | None]) -> str:
    """36.5 / 36.8: the temperatures of a day."""
    found = [one["value"] for one in given if one and isinstance(one.get("value"), (int, float))]
    return " / ".join(f"{value:.1f}" for value in found)


def _fields(verb: str) -> tuple[Field, ...]:
    found = VERBS.get(verb)
    return tuple(found.fields) if found else ()


@cache
def _known() -> dict[str, Field]:
    """The first field of each name, whichever verb it belongs to."""
    known: dict[str, Field] = {}
    for verb in VERBS.values():
        for field in verb.fields:
            known.setdefault(field.name, field)
    return known


def _one(key: str, value: Any, field: Field | None) -> str:
    if value is True:
        return str(field.label) if field else key.replace("_", " ")
    if isinstance(value, (list, tuple)):
        return ", ".join(_label(key, str(item), field) for item in value)
    if isinstance(value, (int, float)):
        return _number(key, value, field)
    text = str(value)
    if _DATE.match(text):
        return _date(key, text, field)
    return _label(key, text, field)


def _label(key: str, code: str, field: Field | None) -> str:
    own: list[Pairs] = [field.choices] if field else []
    for pairs in (*own, *_WORDS.get(key, ())):
        found = dict(pairs).get(code)
        if found:
            return str(found)
    return code


def _number(key: str, value: float, field: Field | None) -> str:
    text = f"{value:g}"
    if field and field.unit:
        return f"{value:.1f} {field.unit}" if field.type == "number" else f"{text} {field.unit}"
    return f"{field.label} {text}" if field else text


def _date(key: str, text: str, field: Field | None) -> str:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return text
    if _DATE.fullmatch(text):
        day = _day(text)
    else:
        day = words.say_when(at if at.tzinfo else timezone.make_aware(at), clock.now())
    called = _called(key) or (str(field.label) if field else "")
    return f"{called} {day}".strip()


def _called(key: str) -> str:
    return {"last_exposure": _("Last exposure"), "observe_until": _("observed until")}.get(key, "")


def _bare(text: str) -> str:
    """A code without its key: only words that mean one thing wherever they stand."""
    for pairs in _bare_words():
        found = dict(pairs).get(text)
        if found:
            return str(found)
    return _day(text) if _DATE.fullmatch(text) else text


def _day(text: str) -> str:
    try:
        return words.say_date(
            date.fromisoformat(text), today=timezone.localtime(clock.now()).date(), inside=True
        )
    except ValueError:
        return text


def _bare_words() -> Iterator[Pairs]:
    yield EXPOSURE_LABELS
    yield ORDER_KIND_LABELS
