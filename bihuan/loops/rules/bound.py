"""A definition with its numbers: what `bind` makes of a definition and the policy values in force.

A bound definition is stored whole (as_dict) beside the loops it rules, so that a loop replays the same
way after the packs on disk have changed (`transition: keep`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from typing import Any, Protocol

from .definition import DECIDE, Close, Definition, Due, DutyDef, Problem

Condition = Callable[[Mapping[str, Any], Any], Any]
"""A compiled `when`: facts and a moment in; True, False or None (unknown) out."""

DEFAULT_WARN_KEY = "clocks.warn_hours"
TARGETS = ("superior", "county_command", "city_command", "province_command")

_UNIT_HOURS = {
    "": 1.0, "h": 1.0, "hour": 1.0, "hours": 1.0, "min": 1 / 60, "minute": 1 / 60, "minutes": 1 / 60,
    "d": 24.0, "day": 24.0, "days": 24.0,
}  # fmt: skip


class PolicyValue(Protocol):
    """What binding reads of a policy value."""

    value: Any
    unit: Any
    pack: Any
    clause: Any


class Policy(Protocol):
    """What binding needs of the policy in force: an id, and values by key (KeyError-like when unknown)."""

    @property
    def id(self) -> str: ...

    def value(self, key: str) -> Any: ...


class CannotBind(ValueError):
    """A definition asks the policy for what it does not hold in the form needed."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(p) for p in self.problems))


@dataclass(frozen=True, slots=True)
class LadderStep:
    """One rung: `to` whom, how long after the deadline."""

    to: str
    after: timedelta


@dataclass(frozen=True, slots=True)
class BoundRepeat:
    form: str
    slots: tuple[int, ...]  # minutes after local midnight, ascending
    days: tuple[int, ...]  # day numbers, ascending
    start: frozenset[str]
    until: frozenset[str]
    for_days: int | None
    last_day: str
    day_fact: str
    day_base: int
    taken_on: str = ""


@dataclass(frozen=True, slots=True)
class BoundDuty:
    kind: str
    stage: str
    label: Mapping[str, str]
    owed_by: tuple[str, ...]
    opens_on: frozenset[str]
    when: str
    start_event: str
    start_fact: str
    within: timedelta | None
    plus_days: int
    warn_lead: timedelta
    done_on: tuple[str, ...]
    match: tuple[tuple[str, Any], ...]
    evidence: tuple[str, ...]
    superseded_on: frozenset[str]
    preempts: tuple[str, ...]
    repeat: BoundRepeat | None
    verb: str
    clause: str
    pack: str
    rule: str
    counts_earlier: bool


@dataclass(slots=True)
class BoundDefinition:
    """A definition ready to run. Treat as frozen; the indexes are derived."""

    name: str
    policy_id: str
    label: Mapping[str, str]
    group: str
    subject: str
    clauses: tuple[str, ...]
    opens_on: frozenset[str]
    stages: tuple[tuple[str, Mapping[str, str]], ...]
    duties: Mapping[str, BoundDuty]
    closes: tuple[Close, ...]
    ladder: tuple[LadderStep, ...]
    digest: str = ""
    conditions: Mapping[str, Condition] = field(default_factory=dict)
    openers: dict[str, tuple[BoundDuty, ...]] = field(default_factory=dict)
    finishers: dict[str, tuple[BoundDuty, ...]] = field(default_factory=dict)
    enders: dict[str, tuple[str, ...]] = field(default_factory=dict)
    starters: dict[str, tuple[BoundDuty, ...]] = field(default_factory=dict)
    stoppers: dict[str, tuple[str, ...]] = field(default_factory=dict)
    clock_starts: frozenset[str] = frozenset()
    closers: dict[str, tuple[Close, ...]] = field(default_factory=dict)

    def index(self) -> BoundDefinition:
        duties = self.duties.values()
        self.openers = _index((k, d) for d in duties for k in d.opens_on)
        self.finishers = _index((k, d) for d in duties for k in d.done_on)
        self.enders = _index((k, d.kind) for d in duties for k in d.superseded_on)
        self.starters = _index((k, d) for d in duties if d.repeat for k in d.repeat.start)
        self.stoppers = _index((k, d.kind) for d in duties if d.repeat for k in d.repeat.until)
        self.clock_starts = frozenset(d.start_event for d in duties if d.start_event)
        self.closers = _index((k, c) for c in self.closes for k in c.on)
        return self


def _index(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, list[Any]] = {}
    for key, item in pairs:
        found.setdefault(key, []).append(item)
    return {key: tuple(items) for key, items in found.items()}


def bind(definition: Definition, policy: Policy, compile_when: Callable[[str], Condition]) -> BoundDefinition:
    """`definition` with every number taken from `policy`, and its conditions compiled.

    Raises CannotBind naming each key that is unknown or has no fit value.
    """
    binder = _Binder(definition, policy)
    duties = {d.kind: binder.duty(d) for d in definition.duties}
    duties[DECIDE] = binder.decide()
    bound = BoundDefinition(
        name=definition.name,
        policy_id=policy.id,
        label=definition.label,
        group=definition.group,
        subject=definition.subject,
        clauses=definition.clauses,
        opens_on=frozenset(definition.opens_on),
        stages=tuple((s.key, s.label) for s in definition.stages),
        duties=duties,
        closes=definition.closes,
        ladder=binder.ladder(),
    )
    if binder.problems:
        raise CannotBind(binder.problems)
    return ready(bound, compile_when)


def ready(bound: BoundDefinition, compile_when: Callable[[str], Condition]) -> BoundDefinition:
    texts = {d.when for d in bound.duties.values() if d.when} | {c.when for c in bound.closes if c.when}
    bound.conditions = {text: compile_when(text) for text in texts}
    bound.digest = hashlib.sha256(json.dumps(as_dict(bound), sort_keys=True).encode()).hexdigest()
    return bound.index()


class _Binder:
    def __init__(self, definition: Definition, policy: Policy) -> None:
        self.definition, self.policy = definition, policy
        self.problems: list[Problem] = []

    def wrong(self, at: str, message: str) -> None:
        self.problems.append(Problem(f"{self.definition.where or self.definition.name}.{at}", message))

    def value(self, key: str, at: str) -> Any:
        try:
            return self.policy.value(key)
        except Exception as error:  # the policy names the nearest keys; say where it was asked
            self.wrong(at, f"asks policy for {key!r}: {error}")
            return None

    def hours(self, amount: str | float, at: str) -> timedelta:
        if not isinstance(amount, str):
            return timedelta(hours=amount)
        found = self.value(amount, at)
        number = getattr(found, "value", None)
        unit = str(getattr(found, "unit", "") or _unit_of(amount)).lower()
        if found is not None and (not isinstance(number, int | float) or unit not in _UNIT_HOURS):
            self.wrong(at, f"{amount!r} is {number!r} {unit}; a time in hours, minutes or days is needed.")
        if not isinstance(number, int | float):
            return timedelta()
        return timedelta(hours=number * _UNIT_HOURS.get(unit, 1.0))

    def deadline(self, due: Due, at: str) -> tuple[timedelta | None, int]:
        """How long after the start, or (None, n): by the end of the local day n days on. A policy value may
        itself say {end_of_day: true, plus_days: n}, where an edition counts days and another counts hours."""
        if due.within is None:
            return None, self.days(due.plus_days, f"{at}.plus_days")
        found = self.value(due.within, f"{at}.within") if isinstance(due.within, str) else None
        said = getattr(found, "value", None)
        if isinstance(said, Mapping) and said.get("end_of_day") is True:
            return None, self.days(said.get("plus_days", 0), f"{at}.within")
        return (
            (timedelta(), 0)
            if isinstance(due.within, str) and found is None
            else (self.hours(due.within, f"{at}.within"), 0)
        )

    def days(self, amount: str | int, at: str) -> int:
        if not isinstance(amount, str):
            return amount
        number = getattr(self.value(amount, at), "value", 0)
        if not isinstance(number, int) or isinstance(number, bool):
            self.wrong(at, f"{amount!r} is {number!r}; a whole number of days is needed.")
            return 0
        return number

    def duty(self, duty: DutyDef) -> BoundDuty:
        at = f"duties.{duty.kind}"
        repeat = self.repeat(duty, at)
        within, plus_days = (None, 0) if duty.repeats else self.deadline(duty.due, f"{at}.due")
        rule, source = self.why(duty)
        return BoundDuty(
            kind=duty.kind,
            stage=duty.stage,
            label=duty.label,
            owed_by=duty.owed_by,
            opens_on=frozenset(duty.opens_on),
            when=duty.when,
            start_event=duty.due.start.event,
            start_fact=duty.due.start.fact,
            within=within,
            plus_days=plus_days,
            warn_lead=self.warn(duty),
            done_on=duty.done_on,
            match=duty.match,
            evidence=tuple(k for k in duty.evidence if k != "at"),
            superseded_on=frozenset(duty.superseded_on),
            preempts=duty.preempts,
            repeat=repeat,
            verb=duty.verb,
            clause=duty.clause
            or str(getattr(source, "clause", "") or "")
            or ", ".join(self.definition.clauses),
            pack=str(getattr(source, "pack", "") or self.policy.id),
            rule=rule,
            counts_earlier=duty.counts_earlier,
        )

    def why(self, duty: DutyDef) -> tuple[str, Any]:
        """The policy key that sets the duty's time, and the value it has: what the page "why" shows."""
        repeats = duty.repeats
        candidates: tuple[Any, ...] = (repeats.values,) if repeats else (duty.due.within, duty.due.plus_days)
        for key in candidates:
            if isinstance(key, str):
                try:
                    return key, self.policy.value(key)
                except Exception:  # reported where the value itself is read
                    return key, None
        return f"loops.{self.definition.name}.{duty.kind}", None

    def warn(self, duty: DutyDef) -> timedelta:
        asked = duty.warn if duty.warn is not None else self.definition.warn
        if asked is not None:
            return self.hours(asked, f"duties.{duty.kind}.warn.before")
        try:
            self.policy.value(DEFAULT_WARN_KEY)
        except Exception:  # a policy without a warning time warns at the deadline
            return timedelta()
        return self.hours(DEFAULT_WARN_KEY, f"duties.{duty.kind}.warn")

    def repeat(self, duty: DutyDef, at: str) -> BoundRepeat | None:
        repeats = duty.repeats
        if repeats is None:
            return None
        values: Any = repeats.values
        if isinstance(values, str):
            values = getattr(self.value(values, f"{at}.repeats.{repeats.form}"), "value", None)
        return BoundRepeat(
            form=repeats.form,
            slots=self.minutes(values, at) if repeats.form == "daily" else (),
            days=self.numbers(values, at) if repeats.form == "days" else (),
            start=frozenset(repeats.start),
            until=frozenset(repeats.until),
            for_days=None
            if repeats.for_days is None
            else self.days(repeats.for_days, f"{at}.repeats.for_days"),
            last_day=repeats.last_day,
            taken_on=repeats.taken_on,
            day_fact=repeats.day_fact,
            day_base=repeats.day_base,
        )

    def minutes(self, values: Any, at: str) -> tuple[int, ...]:
        try:
            return tuple(sorted({int(v[:2]) * 60 + int(v[3:]) for v in values}))
        except (TypeError, ValueError, IndexError):
            self.wrong(
                f"{at}.repeats.daily", f'is {values!r}; a list of local times such as "09:00" is needed.'
            )
            return ()

    def numbers(self, values: Any, at: str) -> tuple[int, ...]:
        if isinstance(values, list | tuple) and all(isinstance(v, int) for v in values):
            return tuple(sorted(set(values)))
        self.wrong(f"{at}.repeats.days", f"is {values!r}; a list of day numbers is needed.")
        return ()

    def decide(self) -> BoundDuty:
        within, plus_days = self.deadline(self.definition.decide_due, "decide.due")
        first = self.definition.stages[0].key if self.definition.stages else ""
        return BoundDuty(
            kind=DECIDE, stage=first, label={"zh": "决定下一步", "en": "Decide the next step"},
            owed_by=self.definition.decide_owed_by, opens_on=frozenset(), when="", start_event="",
            start_fact="",
            within=within, plus_days=plus_days, warn_lead=timedelta(),
            done_on=("loop.decided",), match=(), evidence=(), superseded_on=frozenset(), preempts=(),
            repeat=None,
            verb="loop.decide", clause=", ".join(self.definition.clauses), pack=self.policy.id,
            rule="loops.no_limbo", counts_earlier=False,
        )  # fmt: skip

    def ladder(self) -> tuple[LadderStep, ...]:
        found = getattr(self.value(self.definition.escalate, "escalate"), "value", None)
        steps = []
        for item in found or ():
            to, hours = (
                (item.get("to"), item.get("after_hours")) if isinstance(item, Mapping) else (None, None)
            )
            if to not in TARGETS or not isinstance(hours, int | float):
                self.wrong("escalate", f"{self.definition.escalate!r} holds {item!r}; a step is "
                           f"{{to: {'|'.join(TARGETS)}, after_hours: number}}.")  # fmt: skip
                continue
            steps.append(LadderStep(str(to), timedelta(hours=hours)))
        return tuple(sorted(steps, key=lambda s: s.after))


def _unit_of(key: str) -> str:
    tail = key.rsplit("_", 1)[-1]
    return tail if tail in _UNIT_HOURS else ""


# --- stored form ---------------------------------------------------------------------------------------


def as_dict(bound: BoundDefinition) -> dict[str, Any]:
    """The bound definition as plain JSON data; `from_dict` reads it back equal."""
    return {
        "name": bound.name,
        "policy_id": bound.policy_id,
        "label": dict(bound.label),
        "group": bound.group,
        "subject": bound.subject,
        "clauses": list(bound.clauses),
        "opens_on": sorted(bound.opens_on),
        "stages": [[key, dict(label)] for key, label in bound.stages],
        "duties": [_plain_duty(d) for d in bound.duties.values()],
        "closes": [_plain(asdict(c)) for c in bound.closes],
        "ladder": [[s.to, s.after.total_seconds()] for s in bound.ladder],
    }


def from_dict(raw: Mapping[str, Any], compile_when: Callable[[str], Condition]) -> BoundDefinition:
    duties = [_duty(d) for d in raw["duties"]]
    bound = BoundDefinition(
        name=raw["name"],
        policy_id=raw["policy_id"],
        label=raw["label"],
        group=raw["group"],
        subject=raw["subject"],
        clauses=tuple(raw["clauses"]),
        opens_on=frozenset(raw["opens_on"]),
        stages=tuple((key, label) for key, label in raw["stages"]),
        duties={d.kind: d for d in duties},
        closes=tuple(
            Close(c["outcome"], tuple(c["on"]), tuple(c["after_all"]), c["when"]) for c in raw["closes"]
        ),
        ladder=tuple(LadderStep(to, timedelta(seconds=s)) for to, s in raw["ladder"]),
    )
    return ready(bound, compile_when)


def _plain_duty(duty: BoundDuty) -> dict[str, Any]:
    """A key that came to the language later is left out where it is not used: stored forms stay the same."""
    found: dict[str, Any] = _plain(asdict(duty))
    if duty.repeat is not None and not duty.repeat.taken_on:
        del found["repeat"]["taken_on"]
    return found


def _plain(item: Any) -> Any:
    if isinstance(item, timedelta):
        return item.total_seconds()
    if isinstance(item, frozenset):
        return sorted(item)
    if isinstance(item, Mapping):
        return {k: _plain(v) for k, v in item.items()}
    if isinstance(item, list | tuple):
        return [_plain(v) for v in item]
    return item


def _duty(raw: Mapping[str, Any]) -> BoundDuty:
    return BoundDuty(
        **{
            **raw,
            "owed_by": tuple(raw["owed_by"]),
            "opens_on": frozenset(raw["opens_on"]),
            "within": None if raw["within"] is None else timedelta(seconds=raw["within"]),
            "warn_lead": timedelta(seconds=raw["warn_lead"]),
            "done_on": tuple(raw["done_on"]),
            "match": tuple((key, value) for key, value in raw["match"]),
            "evidence": tuple(raw["evidence"]),
            "superseded_on": frozenset(raw["superseded_on"]),
            "preempts": tuple(raw["preempts"]),
            "repeat": _repeat(raw["repeat"]) if raw["repeat"] else None,
        }
    )


def _repeat(raw: Mapping[str, Any]) -> BoundRepeat:
    return BoundRepeat(
        **{
            **raw,
            "slots": tuple(raw["slots"]),
            "days": tuple(raw["days"]),
            "start": frozenset(raw["start"]),
            "until": frozenset(raw["until"]),
        }
    )


__all__ = [
    "BoundDefinition", "BoundDuty", "BoundRepeat", "CannotBind", "Condition", "Due", "LadderStep", "Policy",
    "as_dict", "bind", "from_dict", "ready",
]  # fmt: skip
