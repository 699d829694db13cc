"""What comes in when a case is reported, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from bihuan.cases.models import (
    CLASSIFICATION_LABELS,
    ORIGIN_LABELS,
    OUTCOME_LABELS,
    RESULT_LABELS,
    SEVERITY_LABELS,
)
from bihuan.cases.rules import (
    DATED,
    CaseFacts,
    Classification,
    Moment,
    Origin,
    Outcome,
    Severity,
    check_dates,
    moment,
)
from bihuan.registry.actions.people import Ready
from bihuan.registry.people import PersonInput

Day = date | datetime | None


@dataclass(frozen=True, slots=True)
class CaseInput:
    """One case as reported.

    `person` is who: facts of a person to register, or the public id (or row id) of a known one. A
    date is a local calendar
    date, or an aware datetime when the time of day is known (a naive one is local time); None = unknown.
    `source_key` names the row it came from: the same key is taken once. `ready`: the same person judged
    and spelled out already (`registry.actions.people.get_ready`).
    """

    person: PersonInput | str | int
    territory_code: str
    classification: str = Classification.CONFIRMED.value
    severity: str = Severity.UNKNOWN.value
    disease: str = "covid-19"
    local_id: str = ""
    date_onset: Day = None
    date_visit: Day = None
    date_diagnosis: Day = None
    date_sample: Day = None
    date_result: Day = None
    date_report: Day = None
    date_confirmation: Day = None
    date_isolation: Day = None
    date_admission: Day = None
    date_outcome: Day = None
    test_result: str = ""
    outcome: str = Outcome.UNKNOWN.value
    origin: str = Origin.UNDER_INVESTIGATION.value
    facility: str = ""
    source_text: str = ""
    reported_by_id: int | None = None
    source_key: str | None = None
    ready: Ready | None = None


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong (or odd) in row `row`; `level` is error or warning; texts in the reader's language."""

    row: int
    field: str
    rule: str
    message: str
    hint: str = ""
    level: str = "error"

    def as_dict(self) -> dict[str, Any]:
        return {
            "row": self.row,
            "field": self.field,
            "rule": self.rule,
            "message": self.message,
            "hint": self.hint,
        }


@dataclass(frozen=True, slots=True)
class Judged:
    """A report that was looked at ahead: its dates read, and what is wrong with it (rows count from 0)."""

    given: CaseInput
    moments: Mapping[str, Moment]
    problems: tuple[Problem, ...]


ALLOWED: Mapping[str, frozenset[str]] = {
    "classification": frozenset(key for key, _label in CLASSIFICATION_LABELS),
    "severity": frozenset(key for key, _label in SEVERITY_LABELS),
    "outcome": frozenset(key for key, _label in OUTCOME_LABELS),
    "origin": frozenset(key for key, _label in ORIGIN_LABELS),
    "test_result": frozenset(key for key, _label in RESULT_LABELS) | {""},
}
LENGTHS = {"local_id": 80, "facility": 200, "disease": 40, "source_key": 120}
DATE_NAMES = tuple((name, f"date_{name}") for name in DATED)
assert {f"date_{name}" for name in DATED} <= {f.name for f in fields(CaseInput)}


def moments_of(given: CaseInput, tz: ZoneInfo) -> dict[str, Moment]:
    """The dates that are known, by name."""
    known = {}
    for name, attribute in DATE_NAMES:
        found = moment(getattr(given, attribute), tz)
        if found is not None:
            known[name] = found
    return known


def facts_of(given: CaseInput, moments: Mapping[str, Moment], recorded_at: datetime) -> CaseFacts:
    return CaseFacts(
        classification=given.classification,
        recorded_at=recorded_at,
        moments=moments,
        outcome=given.outcome,
        result=given.test_result,
    )


def find_problems(
    given: CaseInput, *, row: int, today: date, tz: ZoneInfo, moments: Mapping[str, Moment] | None = None
) -> list[Problem]:
    """Everything wrong with one report: words that are not allowed, texts too long, dates that cannot be.

    Pure but for the language of the messages. Warnings are included; only errors stop a report. `moments`:
    its dates, when they were read already.
    """
    words = (given.classification, given.severity, given.outcome, given.origin, given.test_result)
    problems = [
        Problem(
            row,
            name,
            "choice",
            _("%(value)s is not allowed here.") % {"value": getattr(given, name)},
            hint=_words(ALLOWED[name]),
        )
        for name in _not_allowed(words)
    ]
    for name, longest in LENGTHS.items():
        if len(getattr(given, name) or "") > longest:
            text = _("The text is longer than %(n)s characters.") % {"n": longest}
            problems.append(Problem(row, name, "length", text, hint=_("Shorten it.")))
    born = given.person.date_birth if isinstance(given.person, PersonInput) else None
    known = moments_of(given, tz) if moments is None else moments
    for issue in check_dates({name: m.day for name, m in known.items()}, today, born):
        text = _(issue.message) % dict(issue.params)
        hint = _("Check the date in the source.")
        problems.append(Problem(row, issue.field, issue.rule, text, hint, issue.level))
    return problems


@lru_cache(maxsize=1024)
def _not_allowed(words: tuple[str, ...]) -> tuple[str, ...]:
    """The fields whose word is not allowed; `words` in the order of `ALLOWED`."""
    return tuple(
        name for (name, allowed), word in zip(ALLOWED.items(), words, strict=True) if word not in allowed
    )


@lru_cache(maxsize=16)
def _words(allowed: frozenset[str]) -> str:
    return ", ".join(sorted(word for word in allowed if word))


def errors_in(problems: Sequence[Problem]) -> list[Problem]:
    return [problem for problem in problems if problem.level == "error"]
