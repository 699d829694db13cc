"""The verbs of cases as data: what a form, the API and the command line need to offer them.

A verb has a key (the `verb:` of loop definitions), fields, and the action behind it. `read` turns what a form
or a request sent into values and says per field what is wrong, so that every door refuses the same things.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from bihuan.cases import actions
from bihuan.cases.errors import CaseInvalid
from bihuan.cases.models import (
    CLASSIFICATION_LABELS,
    NO_TRACK_LABELS,
    ORIGIN_LABELS,
    OUTCOME_LABELS,
    RESULT_LABELS,
    SEVERITY_LABELS,
)
from bihuan.cases.rules import DATED
from bihuan.registry.actor import Actor

Label = str | Promise
NOW = "now"
TRUE = frozenset({"true", "1", "on", "yes", "是"})
FALSE = frozenset({"false", "0", "off", "no", "否", ""})
# type: moment (date, or date with time), date, text, long_text, choice, choices, number, integer, boolean.


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a form. `default` "now" stands for the moment the form is shown. `low`, `high`
    inclusive.
    """

    name: str
    type: str
    label: Label
    required: bool = False
    default: Any = None
    choices: tuple[tuple[str, Label], ...] = ()
    help: Label = ""
    low: float | None = None
    high: float | None = None
    step: float | None = None
    unit: str = ""
    max_length: int = 300
    by_hand: bool = True  # False: not shown in a form unless asked for


@dataclass(frozen=True, slots=True)
class Result:
    """What a verb did: the record it made or changed, a sentence for the reader, and facts for programs."""

    verb: str
    subject_kind: str
    subject_id: str
    message: str
    data: Mapping[str, Any] = field(default_factory=dict)


Run = Callable[[str, Mapping[str, Any], Actor, datetime | None], Result]


@dataclass(frozen=True, slots=True)
class Verb:
    """`subject` is what it is done to (case, contact, order, appeal; "" = it makes one).

    `one_tap`: may be done without opening the form, all fields taking their defaults.
    `rights`: any of them lets a post offer it; the action itself checks again, with the territory.
    """

    key: str
    label: Label
    subject: str
    rights: tuple[str, ...]
    fields: tuple[Field, ...]
    run: Run
    one_tap: bool = False
    tap_label: Label = ""
    adverse: bool = False  # restricts a person: never offered in bulk or by one tap


def read(verb: Verb, data: Mapping[str, Any], tz: ZoneInfo) -> dict[str, Any]:
    """Values of the verb's fields from what was sent. Raises CaseInvalid with one error a field.

    Unknown names are errors, too: nothing sent is silently dropped.
    """
    errors: list[dict[str, str]] = []
    known = {f.name: f for f in verb.fields}
    for name in data:
        if name not in known:
            text = _("There is no field %(name)s.") % {"name": name}
            errors.append(_wrong(name, "unknown", text, hint=", ".join(known)))
    values = {name: _value(f, data.get(name), tz, errors) for name, f in known.items()}
    if errors:
        raise CaseInvalid(_("Some fields need another look."), errors=errors)
    return values


def _wrong(name: str, rule: str, message: str, hint: str = "") -> dict[str, str]:
    return {"field": name, "rule": rule, "message": message, "hint": hint}


def _value(f: Field, raw: Any, tz: ZoneInfo, errors: list[dict[str, str]]) -> Any:
    if isinstance(raw, str):
        raw = raw.strip()
    if raw is None or raw == "" or raw == []:
        if f.required and f.default is None:
            errors.append(_wrong(f.name, "required", _("Please fill this in.")))
        return _empty(f)
    try:
        value = READERS[f.type](f, raw, tz)
    except _BadError as bad:
        errors.append(_wrong(f.name, bad.rule, bad.message, bad.hint))
        return _empty(f)
    return value


def _empty(f: Field) -> Any:
    if f.default is not None and f.default != NOW:
        return f.default
    return {"choices": (), "text": "", "long_text": "", "choice": "", "boolean": False}.get(f.type)


class _BadError(ValueError):
    def __init__(self, rule: str, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.rule, self.message, self.hint = rule, message, hint


def _moment(f: Field, raw: Any, tz: ZoneInfo) -> date | datetime:
    if isinstance(raw, datetime):
        return raw if raw.tzinfo else raw.replace(tzinfo=tz)
    if isinstance(raw, date):
        return raw
    text = str(raw).replace("/", "-")
    try:
        if len(text) <= len("2020-02-17"):
            return date.fromisoformat(text)
        found = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        message = _("%(value)s is not a date or time.") % {"value": raw}
        raise _BadError("moment", message, _("Write 2020-02-17 or 2020-02-17 20:40.")) from None
    return found if found.tzinfo else found.replace(tzinfo=tz)


def _date(f: Field, raw: Any, tz: ZoneInfo) -> date:
    found = _moment(f, raw, tz)
    return found.astimezone(tz).date() if isinstance(found, datetime) else found


def _text(f: Field, raw: Any, tz: ZoneInfo) -> str:
    text = str(raw)
    if len(text) > f.max_length:
        message = _("The text is longer than %(n)s characters.") % {"n": f.max_length}
        raise _BadError("length", message, _("Shorten it."))
    if "\x00" in text:
        raise _BadError("text", _("The text holds a character that cannot be stored."))
    return text


def _choice(f: Field, raw: Any, tz: ZoneInfo) -> str:
    allowed = [key for key, _label in f.choices]
    if str(raw) not in allowed:
        message = _("%(value)s is not allowed here.") % {"value": raw}
        raise _BadError("choice", message, ", ".join(allowed))
    return str(raw)


def _choices(f: Field, raw: Any, tz: ZoneInfo) -> tuple[str, ...]:
    items: Sequence[Any] = (
        raw.split(",") if isinstance(raw, str) else list(raw) if isinstance(raw, list | tuple) else [raw]
    )
    return tuple(_choice(f, str(item).strip(), tz) for item in items)


def _number(f: Field, raw: Any, tz: ZoneInfo) -> float:
    try:
        number = float(Decimal(str(raw).replace("，", ".").replace(",", ".")))
    except (InvalidOperation, ValueError):
        raise _BadError("number", _("%(value)s is not a number.") % {"value": raw}) from None
    low, high = f.low, f.high
    if math.isnan(number) or (low is not None and number < low) or (high is not None and number > high):
        params = {"value": raw, "low": "" if low is None else low, "high": "" if high is None else high}
        message = _("%(value)s lies outside %(low)s to %(high)s.") % params
        raise _BadError("range", message)
    return number


def _integer(f: Field, raw: Any, tz: ZoneInfo) -> int:
    number = _number(f, raw, tz)
    if number != int(number):
        raise _BadError("integer", _("%(value)s is not a whole number.") % {"value": raw})
    return int(number)


def _boolean(f: Field, raw: Any, tz: ZoneInfo) -> bool:
    text = str(raw).lower()
    if text in TRUE | FALSE:
        return text in TRUE
    raise _BadError("boolean", _("%(value)s is neither yes nor no.") % {"value": raw}, "true, false")


READERS: Mapping[str, Callable[[Field, Any, ZoneInfo], Any]] = {
    "moment": _moment,
    "date": _date,
    "text": _text,
    "long_text": _text,
    "choice": _choice,
    "choices": _choices,
    "number": _number,
    "integer": _integer,
    "boolean": _boolean,
}


AT = Field(
    "at",
    "moment",
    gettext_lazy("When"),
    default=NOW,
    help=gettext_lazy("A date alone is enough if the time is not known."),
)
DUTY = Field("duty", "text", gettext_lazy("Which duty"), max_length=100, by_hand=False)
NOTE = Field("note", "text", gettext_lazy("Note"))
WRITE = ("case.write", "duty.do")


def _picked(given: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: given[name] for name in names if given.get(name) is not None}


def _report(subject_id: str, given: Mapping[str, Any], actor: Actor, now: datetime | None) -> Result:
    case = actions.record_reported(subject_id, actor=actor, now=now, **_picked(given, "at"))
    return Result("case.report", "case", case.public_id, _("The report is recorded."))


def _review(subject_id: str, given: Mapping[str, Any], actor: Actor, now: datetime | None) -> Result:
    case = actions.record_review(subject_id, actor=actor, now=now, **_picked(given, "at", "finding"))
    return Result("case.review", "case", case.public_id, _("The review is recorded."))


def _investigate(subject_id: str, given: Mapping[str, Any], actor: Actor, now: datetime | None) -> Result:
    picked = _picked(given, "at", "summary", "contacts_found", "no_track")
    case = actions.record_investigation(subject_id, actor=actor, now=now, **picked)
    return Result("case.investigate", "case", case.public_id, _("The investigation is recorded."))


def _test(subject_id: str, given: Mapping[str, Any], actor: Actor, now: datetime | None) -> Result:
    picked = _picked(given, "at", "sampled", "result")
    test = actions.record_test(subject_id, actor=actor, now=now, **picked)
    return Result("case.test", "case", subject_id, _("The test is recorded."), {"test": test.public_id})


def _isolate(subject_id: str, given: Mapping[str, Any], actor: Actor, now: datetime | None) -> Result:
    case = actions.record_isolation(subject_id, actor=actor, now=now, **_picked(given, "at", "facility"))
    return Result("case.isolate", "case", case.public_id, _("The isolation is recorded."))


def _transfer(subject_id: str, given: Mapping[str, Any], actor: Actor, now: datetime | None) -> Result:
    case = actions.record_transfer(subject_id, actor=actor, now=now, **_picked(given, "at", "vehicle", "to"))
    return Result("case.transfer", "case", case.public_id, _("The transfer is recorded."))


def _admit(subject_id: str, given: Mapping[str, Any], actor: Actor, now: datetime | None) -> Result:
    case = actions.record_admission(subject_id, actor=actor, now=now, **_picked(given, "at", "facility"))
    return Result("case.admit", "case", case.public_id, _("The admission is recorded."))


def _outcome(subject_id: str, given: Mapping[str, Any], actor: Actor, now: datetime | None) -> Result:
    case = actions.record_outcome(subject_id, actor=actor, now=now, **_picked(given, "at", "outcome"))
    return Result("case.outcome", "case", case.public_id, _("The outcome is recorded."))


REVISABLE = ("classification", "severity", "origin", *(f"date_{name}" for name in DATED))


def _revise(subject_id: str, given: Mapping[str, Any], actor: Actor, now: datetime | None) -> Result:
    changes = {name: given[name] for name in REVISABLE if given.get(name) not in (None, "")}
    case = actions.revise_case(
        subject_id, changes, reason=given["reason"], at=given["at"], actor=actor, now=now
    )
    return Result("case.revise", "case", case.public_id, _("The revision is recorded; the original is kept."))


DATE_LABELS: Mapping[str, Label] = {
    "date_onset": gettext_lazy("Onset"),
    "date_visit": gettext_lazy("First visit"),
    "date_diagnosis": gettext_lazy("Diagnosis"),
    "date_sample": gettext_lazy("Sampling"),
    "date_result": gettext_lazy("Result"),
    "date_report": gettext_lazy("Report"),
    "date_confirmation": gettext_lazy("Confirmation"),
    "date_isolation": gettext_lazy("Isolation"),
    "date_admission": gettext_lazy("Admission"),
    "date_outcome": gettext_lazy("Outcome date"),
}
OUTCOMES = tuple(pair for pair in OUTCOME_LABELS if pair[0] in ("recovered", "died"))
CLASSIFICATION = Field(
    "classification", "choice", gettext_lazy("Classification"), choices=tuple(CLASSIFICATION_LABELS)
)
SEVERITY = Field("severity", "choice", gettext_lazy("Severity"), choices=tuple(SEVERITY_LABELS))
ORIGIN = Field("origin", "choice", gettext_lazy("Origin"), choices=tuple(ORIGIN_LABELS))
FACILITY = Field("facility", "text", gettext_lazy("Hospital or place"), max_length=200)
RESULT = Field("result", "choice", gettext_lazy("Result"), required=True, choices=tuple(RESULT_LABELS))
SAMPLED = Field("sampled", "moment", gettext_lazy("Sampled"))
NO_TRACK = Field(
    "no_track",
    "choice",
    gettext_lazy("Why no track is kept here"),
    choices=tuple(NO_TRACK_LABELS),
    help=gettext_lazy("Only where no investigation here tells the track."),
)
REASON = Field("reason", "text", gettext_lazy("Reason"), required=True)

_ALL = (
    Verb(
        "case.report",
        gettext_lazy("Report the case"),
        "case",
        WRITE,
        (AT,),
        _report,
        True,
        gettext_lazy("Reported"),
    ),
    Verb(
        "case.review",
        gettext_lazy("Review the report"),
        "case",
        WRITE,
        (AT, Field("finding", "text", gettext_lazy("Finding"))),
        _review,
        True,
        gettext_lazy("Reviewed"),
    ),
    Verb(
        "case.investigate",
        gettext_lazy("Finish the investigation"),
        "case",
        WRITE,
        (
            AT,
            Field("contacts_found", "integer", gettext_lazy("Contacts found"), low=0, high=100000),
            Field("summary", "long_text", gettext_lazy("Summary"), max_length=4000),
            NO_TRACK,
        ),
        _investigate,
    ),
    Verb("case.test", gettext_lazy("Record a test"), "case", WRITE, (RESULT, AT, SAMPLED), _test),
    Verb(
        "case.isolate",
        gettext_lazy("Record isolation"),
        "case",
        WRITE,
        (AT, FACILITY),
        _isolate,
        True,
        gettext_lazy("Isolated"),
    ),
    Verb(
        "case.transfer",
        gettext_lazy("Record the transfer"),
        "case",
        WRITE,
        (
            AT,
            Field("to", "text", gettext_lazy("To which hospital"), max_length=200),
            Field("vehicle", "text", gettext_lazy("Vehicle"), max_length=40),
        ),
        _transfer,
        True,
        gettext_lazy("Delivered"),
    ),
    Verb(
        "case.admit",
        gettext_lazy("Admit"),
        "case",
        WRITE,
        (AT, FACILITY),
        _admit,
        True,
        gettext_lazy("Admitted"),
    ),
    Verb(
        "case.outcome",
        gettext_lazy("Record the outcome"),
        "case",
        WRITE,
        (Field("outcome", "choice", gettext_lazy("Outcome"), required=True, choices=OUTCOMES), AT),
        _outcome,
    ),
    Verb(
        "case.revise",
        gettext_lazy("Revise the case"),
        "case",
        ("case.write",),
        (
            CLASSIFICATION,
            SEVERITY,
            ORIGIN,
            *(Field(name, "moment", label) for name, label in DATE_LABELS.items()),
            REASON,
            AT,
        ),
        _revise,
    ),
)
VERBS: dict[str, Verb] = {verb.key: verb for verb in _ALL}
