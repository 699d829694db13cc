"""Two loops and a small policy for tests of the engine: shaped as in the packs, with round numbers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from bihuan.loops.rules.bound import BoundDefinition, bind
from bihuan.loops.rules.definition import parse

SHANGHAI = ZoneInfo("Asia/Shanghai")


@dataclass(frozen=True)
class Value:
    value: Any
    unit: str = ""
    pack: str = "example"
    clause: str = "E-1"


class Policy:
    id = "example"

    def __init__(self, **changed: Any) -> None:
        self.values = {
            "clocks.warn_hours": Value(1, "hours"),
            "clocks.locate_hours": Value(2, "hours"),
            "clocks.place_hours": Value(8, "hours"),
            "clocks.report_hours": Value(2, "hours"),
            "observation.days": Value(3, "days"),
            "observation.temperature_slots": Value(["09:00", "20:00"]),
            "observation.tests_on": Value([1, 3]),
            "follow_up.days": Value([14, 28]),
            "escalation.default": Value(
                [{"to": "superior", "after_hours": 0}, {"to": "county_command", "after_hours": 4}]
            ),
        } | {k.replace("__", "."): Value(v) for k, v in changed.items()}

    def value(self, key: str) -> Value:
        return self.values[key]


def text(word: str) -> dict[str, str]:
    return {"zh": word, "en": word}


def stages(*keys: str) -> list[dict[str, Any]]:
    return [{"stage": k, "label": text(k)} for k in keys]


CONTACT: dict[str, Any] = {
    "label": text("contact"),
    "group": "admission",
    "subject": "contact",
    "clauses": ["D4-17d"],
    "opens_on": "contact.confirmed",
    "stages": stages("locate", "place", "observe", "release"),
    "duties": {
        "locate": {
            "stage": "locate", "label": text("locate"), "opens_on": ["loop.opened"],
            "due": {"start": "contact.confirmed", "within": "clocks.locate_hours"},
            "owed_by": ["community_follow_up"], "done_on": "contact.located", "evidence": ["at"],
        },
        "place": {
            "stage": "place", "label": text("place"), "opens_on": ["contact.located"],
            "due": {"within": "clocks.place_hours"}, "owed_by": ["street_quarantine"],
            "done_on": "order.started", "preempts": ["locate"],
        },
        "temperature": {
            "stage": "observe", "label": text("temperature"), "owed_by": ["grid_worker"],
            "done_on": "contact.checked", "match": {"check": "temperature"}, "evidence": ["value"],
            "repeats": {"daily": "observation.temperature_slots", "from": "order.started",
                        "until": "order.ended", "for_days": "observation.days"},
        },
        "test": {
            "stage": "observe", "label": text("test"), "owed_by": ["sampling"], "done_on": "contact.tested",
            "repeats": {"days": "observation.tests_on", "from": "order.started", "until": "order.ended",
                        "day_one": "order"},
        },
        "symptoms": {
            "stage": "observe", "label": text("symptoms"), "opens_on": ["contact.checked"],
            "when": "temperature_value >= 37.3", "due": {"end_of_day": True}, "owed_by": ["clinic_report"],
            "done_on": "contact.examined",
        },
        "release": {
            "stage": "release", "label": text("release"), "opens_on": ["order.started"],
            "due": {"start": "order.started", "end_of_day": True, "plus_days": "observation.days"},
            "owed_by": ["street_quarantine"], "done_on": "contact.released",
        },
    },
    "closes": [
        {"on": "contact.released", "outcome": "released"},
        {"on": "contact.became_case", "outcome": "became_case"},
    ],
    "escalate": "escalation.default",
}  # fmt: skip

CASE: dict[str, Any] = {
    "label": text("case"),
    "group": "admission",
    "subject": "case",
    "opens_on": ["case.diagnosed", "case.reported"],
    "stages": stages("report", "admit", "outcome", "follow_up"),
    "duties": {
        "report": {
            "stage": "report", "label": text("report"), "opens_on": ["loop.opened"],
            "due": {"start": "case.diagnosed", "within": "clocks.report_hours"},
            "owed_by": ["clinic_report"], "done_on": "case.reported",
        },
        "admit": {
            "stage": "admit", "label": text("admit"), "opens_on": ["loop.opened"],
            "due": {"start": "case.diagnosed", "end_of_day": True}, "owed_by": ["hospital_admission"],
            "done_on": "case.admitted", "superseded_on": ["case.discarded"],
        },
        "outcome": {
            "stage": "outcome", "label": text("outcome"), "opens_on": ["done:admit"],
            "due": {"end_of_day": True, "plus_days": 28}, "owed_by": ["hospital_admission"],
            "done_on": "case.outcome",
        },
        "follow_up": {
            "stage": "follow_up", "label": text("follow_up"), "owed_by": ["hospital_follow_up"],
            "done_on": "case.follow_up",
            "repeats": {"days": "follow_up.days", "from": "case.outcome", "day_zero": "start"},
        },
    },
    "closes": [{"after_all": "follow_up", "outcome": "completed"}, {"on": "case.discarded",
    "outcome": "discarded"}],
    "escalate": "escalation.default",
}  # fmt: skip


def hot(facts: Any, now: Any) -> bool | None:
    """The example's only condition, compiled by hand: temperature_value >= 37.3."""
    value = facts.get("temperature_value")
    return None if value is None else value >= 37.3


def bound(raw: dict[str, Any], name: str = "example", **changed: Any) -> BoundDefinition:
    return bind(parse(name, raw), Policy(**changed), lambda text: hot)


def local(day: int, hour: int = 0, minute: int = 0, month: int = 2) -> datetime:
    return datetime(2020, month, day, hour, minute, tzinfo=SHANGHAI).astimezone(UTC)
