"""Loop definitions as data: the words of the language, and the parser that checks them.

`parse` takes the plain dict a policy pack holds under `loops: <name>:` and gives a frozen
`Definition`, or raises `InvalidDefinition` with every problem found: where it stands, what is wrong,
what is allowed. The language is told in docs/concepts/loops.md.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

GROUPS = ("admission", "data")
LOOP_OPENED = "loop.opened"
LOOP_CLOSED = "loop.closed"
DECIDE = "decide"
DONE_OF = "done:"
WAIVED_OF = "waived:"

_KIND = re.compile(r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+$")
_NAME = re.compile(r"^[a-z][a-z0-9_]*$")
_HOUR = re.compile(r"^([01]\d|2[0-3]):[0-5]\d$|^24:00$")

LOOP_KEYS = (
    "label", "group", "subject", "clauses", "opens_on", "stages", "duties", "closes", "escalate", "warn",
    "decide",
)  # fmt: skip
DUTY_KEYS = (
    "stage", "label", "opens_on", "when", "due", "warn", "owed_by", "done_on", "match", "evidence",
    "superseded_on", "preempts", "repeats", "verb", "clause", "counts_earlier",
)  # fmt: skip
DUE_KEYS = ("start", "within", "end_of_day", "plus_days")
DAILY_KEYS = ("daily", "from", "until", "for_days", "last_day", "day_one", "day_zero")
DAYS_KEYS = ("days", "from", "until", "last_day", "day_one", "day_zero", "taken_on")
CLOSE_KEYS = ("on", "after_all", "outcome", "when")


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in a definition: where (file and dotted key), what, and the way out."""

    where: str
    message: str
    allowed: tuple[str, ...] = ()

    def __str__(self) -> str:
        tail = f" Allowed: {', '.join(self.allowed)}." if self.allowed else ""
        return f"{self.where}: {self.message}{tail}"


class InvalidDefinition(ValueError):
    """A definition that cannot be used; `problems` lists everything wrong in it."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(p) for p in self.problems))


@dataclass(frozen=True, slots=True)
class Start:
    """Where a clock starts: an event kind, a fact holding a date or instant, or (both empty) the opening."""

    event: str = ""
    fact: str = ""


@dataclass(frozen=True, slots=True)
class Due:
    """A deadline: `within` (policy key or hours) after the start, or the end of the local day plus days."""

    start: Start = Start()
    within: str | float | None = None
    end_of_day: bool = False
    plus_days: str | int = 0


@dataclass(frozen=True, slots=True)
class Repeat:
    """A duty owed many times: `daily` at slots (local HH:MM), or on listed `days` of the stage.

    `last_day` names a fact that holds a date. A listed day beyond it is owed on it. `taken_on` names the
    date in an event's data by which it answers a listed day: what was taken on it or later, before the next.
    """

    form: str
    values: str | tuple[str, ...] | tuple[int, ...]
    start: tuple[str, ...]
    until: tuple[str, ...] = ()
    for_days: str | int | None = None
    last_day: str = ""
    day_fact: str = ""
    day_base: int = 1
    taken_on: str = ""


@dataclass(frozen=True, slots=True)
class DutyDef:
    kind: str
    stage: str
    label: Mapping[str, str]
    owed_by: tuple[str, ...]
    done_on: tuple[str, ...]
    opens_on: tuple[str, ...] = ()
    when: str = ""
    due: Due = Due()
    warn: str | float | None = None
    match: tuple[tuple[str, Any], ...] = ()
    evidence: tuple[str, ...] = ()
    superseded_on: tuple[str, ...] = ()
    preempts: tuple[str, ...] = ()
    repeats: Repeat | None = None
    verb: str = ""
    clause: str = ""
    counts_earlier: bool = True


@dataclass(frozen=True, slots=True)
class Close:
    outcome: str
    on: tuple[str, ...] = ()
    after_all: tuple[str, ...] = ()
    when: str = ""


@dataclass(frozen=True, slots=True)
class StageDef:
    key: str
    label: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Definition:
    name: str
    label: Mapping[str, str]
    group: str
    subject: str
    opens_on: tuple[str, ...]
    stages: tuple[StageDef, ...]
    duties: tuple[DutyDef, ...]
    closes: tuple[Close, ...]
    escalate: str
    warn: str | float | None = None
    clauses: tuple[str, ...] = ()
    decide_owed_by: tuple[str, ...] = ("command",)
    decide_due: Due = Due(end_of_day=True)
    where: str = ""

    def duty(self, kind: str) -> DutyDef:
        return next(d for d in self.duties if d.kind == kind)


def parse(name: str, raw: Any, *, where: str = "") -> Definition:
    """The definition `raw` describes. `where` is the file and key it stands at, for messages.

    Raises InvalidDefinition with all problems at once.
    """
    reader = _Reader(where or f"loops.{name}")
    definition = reader.loop(name, raw)
    if reader.problems or definition is None:
        raise InvalidDefinition(reader.problems)
    return definition


def check(name: str, raw: Any, *, where: str = "") -> list[Problem]:
    """Every problem of a raw definition; empty when it can be used. The hook `policy lint` calls."""
    try:
        parse(name, raw, where=where)
    except InvalidDefinition as error:
        return list(error.problems)
    return []


@dataclass
class _Reader:
    base: str
    problems: list[Problem] = field(default_factory=list)

    # --- small readers ---------------------------------------------------------------------------

    def wrong(self, at: str, message: str, allowed: Sequence[str] = ()) -> None:
        self.problems.append(Problem(f"{self.base}.{at}" if at else self.base, message, tuple(allowed)))

    def mapping(self, raw: Any, at: str, allowed: Sequence[str] | None = None) -> dict[str, Any]:
        if not isinstance(raw, Mapping):
            self.wrong(at, f"must be a mapping, not {_show(raw)}.", allowed or ())
            return {}
        # YAML 1.1 reads a bare `on:` as the boolean True; the word is meant.
        found = {("on" if key is True else str(key)): value for key, value in raw.items()}
        for key in found:
            if allowed is not None and key not in allowed:
                near = get_close_matches(key, allowed, 1)
                hint = f" Did you mean {near[0]}?" if near else ""
                self.wrong(f"{at}.{key}".lstrip("."), f"is not a word of the language.{hint}", allowed)
        return found

    def words(self, raw: Any, at: str) -> tuple[str, ...]:
        if raw is None:
            return ()
        items = [raw] if isinstance(raw, str) else raw
        if not isinstance(items, list | tuple) or not all(isinstance(i, str) for i in items):
            self.wrong(at, f"must be a word or a list of words, not {_show(raw)}.")
            return ()
        return tuple(items)

    def kinds(self, raw: Any, at: str, *, tokens: bool = False) -> tuple[str, ...]:
        found = self.words(raw, at)
        for kind in found:
            token = tokens and kind.startswith((DONE_OF, WAIVED_OF))
            if not token and not _KIND.match(kind):
                self.wrong(at, f"{kind!r} is not an event kind; write room.word, such as contact.located.")
        return found

    def label(self, raw: Any, at: str) -> Mapping[str, str]:
        if isinstance(raw, Mapping) and isinstance(raw.get("zh"), str) and isinstance(raw.get("en"), str):
            return dict(raw)
        self.wrong(at, "must have both a Chinese and an English text.", ("{zh: …, en: …}",))
        return {"zh": "", "en": ""}

    def amount(self, raw: Any, at: str, what: str) -> str | float | None:
        if raw is None or isinstance(raw, str):
            return raw
        if isinstance(raw, int | float) and not isinstance(raw, bool) and raw >= 0:
            return raw
        self.wrong(at, f"must be a policy key or a number of {what}, not {_show(raw)}.")
        return None

    def flag(self, raw: Any, at: str) -> bool:
        if not isinstance(raw, bool):
            self.wrong(at, f"must be true or false, not {_show(raw)}.", ("true", "false"))
        return bool(raw)

    def text(self, raw: Any, at: str) -> str:
        if not isinstance(raw, str):
            self.wrong(at, f"must be a text, not {_show(raw)}.")
            return ""
        return raw

    # --- the parts of a definition -----------------------------------------------------------------

    def loop(self, name: str, raw: Any) -> Definition | None:
        found = self.mapping(raw, "", LOOP_KEYS)
        if not found:
            return None
        for key in ("label", "group", "subject", "opens_on", "stages", "duties", "closes", "escalate"):
            if not found.get(key):
                self.wrong(key, "is missing.")
        if found.get("group") not in (None, *GROUPS):
            self.wrong("group", f"{found['group']!r} is not a group of loops.", GROUPS)
        stages = self.stages(found.get("stages") or [])
        duties = self.duties(found.get("duties") or {}, stages)
        decide = self.mapping(found.get("decide") or {}, "decide", ("owed_by", "due"))
        definition = Definition(
            name=name,
            label=self.label(found.get("label"), "label"),
            group=str(found.get("group")),
            subject=self.text(found.get("subject") or "", "subject"),
            opens_on=self.kinds(found.get("opens_on"), "opens_on"),
            stages=stages,
            duties=duties,
            closes=self.closes(found.get("closes") or [], duties),
            escalate=self.text(found.get("escalate") or "", "escalate"),
            warn=self.warn(found.get("warn"), "warn"),
            clauses=self.words(found.get("clauses"), "clauses"),
            decide_owed_by=self.words(decide.get("owed_by"), "decide.owed_by") or ("command",),
            decide_due=self.due(decide["due"], "decide.due") if "due" in decide else Due(end_of_day=True),
            where=self.base,
        )
        self.sense(definition)
        return definition

    def stages(self, raw: Any) -> tuple[StageDef, ...]:
        if not isinstance(raw, list):
            self.wrong("stages", f"must be a list in the order of the ring, not {_show(raw)}.")
            return ()
        stages = []
        for n, item in enumerate(raw):
            found = self.mapping(item, f"stages[{n}]", ("stage", "label"))
            key = str(found.get("stage") or "")
            if not _NAME.match(key):
                self.wrong(f"stages[{n}].stage", f"{key!r} is not a name; use small letters, digits and _.")
            stages.append(StageDef(key, self.label(found.get("label"), f"stages[{n}].label")))
        keys = [s.key for s in stages]
        for key in sorted({k for k in keys if keys.count(k) > 1}):
            self.wrong("stages", f"{key!r} stands twice.")
        return tuple(stages)

    def duties(self, raw: Any, stages: tuple[StageDef, ...]) -> tuple[DutyDef, ...]:
        found = self.mapping(raw, "duties")
        for kind in found:
            if kind == DECIDE or not _NAME.match(kind):
                self.wrong(
                    f"duties.{kind}", "is not a free name; use small letters, digits and _, not 'decide'."
                )
        names = tuple(s.key for s in stages)
        return tuple(self.duty(kind, item, names, tuple(found)) for kind, item in found.items())

    def duty(self, kind: str, raw: Any, stages: tuple[str, ...], kinds: tuple[str, ...]) -> DutyDef:
        at = f"duties.{kind}"
        found = self.mapping(raw, at, DUTY_KEYS)
        for key in ("stage", "label", "owed_by", "done_on"):
            if not found.get(key):
                self.wrong(f"{at}.{key}", "is missing.")
        if found.get("stage") and found["stage"] not in stages:
            self.wrong(f"{at}.stage", f"{found['stage']!r} is not a stage of this loop.", stages)
        repeats = self.repeats(found["repeats"], f"{at}.repeats") if found.get("repeats") else None
        if repeats is None and not found.get("opens_on"):
            self.wrong(f"{at}.opens_on", "is missing; say which event opens the duty, or what it repeats on.")
        if repeats is None and not found.get("due"):
            self.wrong(f"{at}.due", "is missing; every duty has a deadline.", DUE_KEYS)
        if repeats is not None and (found.get("opens_on") or found.get("due")):
            self.wrong(at, "repeats, so its times come from `repeats`; take opens_on and due away.")
        preempts = self.words(found.get("preempts"), f"{at}.preempts")
        for other in preempts:
            if other not in kinds:
                self.wrong(f"{at}.preempts", f"{other!r} is not a duty of this loop.", kinds)
        match = self.mapping(found.get("match") or {}, f"{at}.match")
        return DutyDef(
            kind=kind,
            stage=str(found.get("stage") or ""),
            label=self.label(found.get("label"), f"{at}.label"),
            owed_by=self.words(found.get("owed_by"), f"{at}.owed_by"),
            done_on=self.kinds(found.get("done_on"), f"{at}.done_on"),
            opens_on=self.tokens(found.get("opens_on"), f"{at}.opens_on", kinds),
            when=self.text(found.get("when") or "", f"{at}.when"),
            due=self.due(found["due"], f"{at}.due") if found.get("due") else Due(),
            warn=self.warn(found.get("warn"), f"{at}.warn"),
            match=tuple(match.items()),
            evidence=self.words(found.get("evidence"), f"{at}.evidence"),
            superseded_on=self.tokens(found.get("superseded_on"), f"{at}.superseded_on", kinds),
            preempts=preempts,
            repeats=repeats,
            verb=self.text(found.get("verb") or "", f"{at}.verb"),
            clause=self.text(found.get("clause") or "", f"{at}.clause"),
            counts_earlier=self.flag(found.get("counts_earlier", True), f"{at}.counts_earlier"),
        )

    def tokens(self, raw: Any, at: str, kinds: tuple[str, ...]) -> tuple[str, ...]:
        found = self.kinds(raw, at, tokens=True)
        for token in found:
            head, _, kind = token.partition(":")
            if kind and kind not in (*kinds, DECIDE):
                self.wrong(at, f"{token!r} names no duty of this loop.", [f"{head}:{k}" for k in kinds])
        return found

    def start(self, raw: Any, at: str) -> Start:
        if raw is None or raw == "opened":
            return Start()
        if isinstance(raw, Mapping):
            return Start(fact=str(self.mapping(raw, at, ("fact",)).get("fact") or ""))
        kinds = self.kinds(raw, at)
        return Start(event=kinds[0] if kinds else "")

    def due(self, raw: Any, at: str) -> Due:
        found = self.mapping(raw, at, DUE_KEYS)
        within = self.amount(found.get("within"), f"{at}.within", "hours")
        end_of_day = self.flag(found.get("end_of_day", False), f"{at}.end_of_day")
        if (within is None) == (not end_of_day):
            self.wrong(at, "needs exactly one of within and end_of_day.", DUE_KEYS)
        plus = self.amount(found.get("plus_days", 0), f"{at}.plus_days", "days")
        days = plus if isinstance(plus, str) else int(plus or 0)
        if days and not end_of_day:
            self.wrong(f"{at}.plus_days", "belongs to end_of_day; with within, count hours.")
        return Due(self.start(found.get("start"), f"{at}.start"), within, end_of_day, days)

    def warn(self, raw: Any, at: str) -> str | float | None:
        if raw is None:
            return None
        return self.amount(self.mapping(raw, at, ("before",)).get("before"), f"{at}.before", "hours")

    def repeats(self, raw: Any, at: str) -> Repeat | None:
        form = "days" if isinstance(raw, Mapping) and "days" in raw else "daily"
        found = self.mapping(raw, at, DAYS_KEYS if form == "days" else DAILY_KEYS)
        if not found:
            return None
        start = self.kinds(found.get("from"), f"{at}.from")
        if not start:
            self.wrong(f"{at}.from", "is missing; say which event starts it.")
        for_days = self.amount(found.get("for_days"), f"{at}.for_days", "days")
        last_day = self.start(found.get("last_day"), f"{at}.last_day").fact
        if form == "daily" and for_days is None and not last_day:
            self.wrong(
                at, "has no last day; nothing is asked of a person without an end.", ("for_days", "last_day")
            )
        day_fact, base = self.day_count(found, at)
        return Repeat(
            form=form,
            values=self.slots(found.get(form), f"{at}.{form}", form),
            start=start,
            until=self.kinds(found.get("until"), f"{at}.until"),
            for_days=int(for_days) if isinstance(for_days, int | float) else for_days,
            last_day=last_day,
            day_fact=day_fact,
            day_base=base,
            taken_on=self.text(found.get("taken_on") or "", f"{at}.taken_on"),
        )

    def day_count(self, found: Mapping[str, Any], at: str) -> tuple[str, int]:
        if found.get("day_one") is not None and found.get("day_zero") is not None:
            self.wrong(at, "counts from day_one or from day_zero, not both.")
        base = 0 if found.get("day_zero") is not None else 1
        raw = found.get("day_zero") if base == 0 else found.get("day_one")
        if raw in (None, "start", "order"):
            return "", base
        if isinstance(raw, Mapping):
            return self.start(raw, f"{at}.day_{'one' if base else 'zero'}").fact, base
        self.wrong(
            f"{at}.day_{'one' if base else 'zero'}", f"{raw!r} is not known.", ("start", "{fact: name}")
        )
        return "", base

    def slots(self, raw: Any, at: str, form: str) -> Any:
        if isinstance(raw, str):
            return raw
        items = raw if isinstance(raw, list) else []
        good = all(_is_hour(i) for i in items) if form == "daily" else all(_is_day(i) for i in items)
        if not items or not good:
            word = 'local times such as "09:00"' if form == "daily" else "day numbers"
            self.wrong(at, f"must be a policy key or a list of {word}, not {_show(raw)}.")
            return ()
        return tuple(items)

    def closes(self, raw: Any, duties: tuple[DutyDef, ...]) -> tuple[Close, ...]:
        if not isinstance(raw, list):
            self.wrong("closes", f"must be a list, not {_show(raw)}.")
            return ()
        return tuple(self.close(item, f"closes[{n}]", duties) for n, item in enumerate(raw))

    def close(self, raw: Any, at: str, duties: tuple[DutyDef, ...]) -> Close:
        found = self.mapping(raw, at, CLOSE_KEYS)
        kinds = tuple(d.kind for d in duties)
        after = self.words(found.get("after_all"), f"{at}.after_all")
        for kind in after:
            if kind not in kinds:
                self.wrong(f"{at}.after_all", f"{kind!r} is not a duty of this loop.", kinds)
        if bool(found.get("on")) == bool(after):
            self.wrong(at, "needs exactly one of on and after_all.", CLOSE_KEYS)
        if not found.get("outcome"):
            self.wrong(f"{at}.outcome", "is missing; say how the loop ended.")
        return Close(
            outcome=str(found.get("outcome") or ""),
            on=self.kinds(found.get("on"), f"{at}.on"),
            after_all=after,
            when=self.text(found.get("when") or "", f"{at}.when"),
        )

    def sense(self, definition: Definition) -> None:
        """Problems that need the whole: a stage nobody owes anything in, an opening that opens nothing."""
        used = {d.stage for d in definition.duties}
        for stage in definition.stages:
            if stage.key not in used:
                self.wrong("stages", f"{stage.key!r} has no duty, so its arc of the ring can never close.")
        opening = {LOOP_OPENED, *definition.opens_on}
        if definition.duties and not any(opening & _openers(d) for d in definition.duties):
            self.wrong("duties", "none opens with the loop; let one open on loop.opened.", (LOOP_OPENED,))
        if not any(not c.when for c in definition.closes) and definition.closes:
            self.wrong("closes", "every way out has a condition; let one be without.")


def find_limbo(definition: Definition) -> list[Problem]:
    """Where a loop of this definition could stand open with nothing owed; found by walking all orders.

    Walks the sets of open one-time duties, finishing each in turn, with conditions read generously.
    Not errors: the engine's guard then asks the command post to decide. Shown by `policy lint`.
    """
    first = frozenset(
        d.kind
        for d in definition.duties
        if not d.repeats and {LOOP_OPENED, *definition.opens_on} & set(d.opens_on)
    )
    seen, queue, found = {first}, [first], []
    while queue and len(seen) < 4096:
        opened = queue.pop()
        for kind in opened:
            after = _after_done(definition, opened, kind)
            if after is not None and not after:
                found.append(kind)
            elif after and after not in seen:
                seen.add(after)
                queue.append(after)
    return [
        Problem(
            f"{definition.where}.duties.{kind}", "may leave the loop open with nothing owed when it is done."
        )
        for kind in sorted(set(found))
    ]


def _after_done(definition: Definition, opened: frozenset[str], kind: str) -> frozenset[str] | None:
    """The open one-time duties after `kind` is done, or None when that closes the loop."""
    duty = definition.duty(kind)
    heard = {*duty.done_on[:1], DONE_OF + kind}
    if any(heard & set(c.on) or kind in c.after_all for c in definition.closes):
        return None
    left = {k for k in opened if k != kind and not heard & set(definition.duty(k).superseded_on)}
    return frozenset(left | {d.kind for d in definition.duties if heard & _openers(d)})


def _openers(duty: DutyDef) -> set[str]:
    return set(duty.opens_on) | set(duty.repeats.start if duty.repeats else ())


def _is_hour(item: Any) -> bool:
    return isinstance(item, str) and bool(_HOUR.match(item))


def _is_day(item: Any) -> bool:
    return isinstance(item, int) and not isinstance(item, bool) and item >= 0


def _show(raw: Any) -> str:
    return f"{type(raw).__name__} {raw!r}"[:60]
