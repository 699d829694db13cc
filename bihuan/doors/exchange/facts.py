"""Parsed rows become facts, through the verbs of the rooms: a writer for each kind of list.

A writer takes rows that are new, or known with other contents, and says of each what it became. It never
decides about the file as a whole; `run.py` does.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from bihuan.cases.actions import CaseInput, Judged, find_problems, judge_reports, report_cases, revise_case
from bihuan.registry import clock, people, territory
from bihuan.registry.actions.people import Ready, get_ready, register_or_find
from bihuan.registry.actor import Actor
from bihuan.registry.errors import BihuanError, Invalid
from bihuan.registry.people import PersonInput
from bihuan.tracing.actions import LinkInput, link_cases

from . import findings as f
from . import lookups
from .findings import CellError
from .mapping import Mapping as ColumnMapping
from .parse import When, day_of
from .rows import ParsedRow, first_day

CASE_DATES = tuple(
    f"case.date_{name}"
    for name in (
        *("onset", "visit", "diagnosis", "sample", "result"),
        *("report", "confirmation", "isolation", "admission", "outcome"),
    )
)
CASE_WORDS = {
    "case.classification": "classification",
    "case.severity": "severity",
    "case.outcome": "outcome",
    "case.origin": "origin",
    "case.sample_result": "test_result",
    "case.facility": "facility",
    "case.disease": "disease",
}
# What only the row's person can have two of: a name said, a document, a telephone.
NAMING = ("person.name", "person.id_number", "person.phone")


@dataclass
class Work:
    """One row in the hands of a writer. `subject` is set by the writer: the public id of the fact."""

    row: ParsedRow
    territory: str
    subject: str = ""
    duplicate: bool = False
    revised: bool = False
    person: PersonInput | None = None  # and the report: as `Writer.prepare` left them
    report: Judged | None = None

    @property
    def open(self) -> bool:
        return not self.row.rejected and not self.duplicate

    def note_duplicate(self, rule: str, **params: Any) -> None:
        self.duplicate = True
        self.row.findings.append(CellError("", "", rule, f.DUPLICATE, {k: str(v) for k, v in params.items()}))


@dataclass
class Writer(ABC):
    """What all writers share. `now`: the moment the facts count as known; `as_of`: its local date."""

    mapping: ColumnMapping
    actor: Actor
    now: dt.datetime
    as_of: dt.date
    source: str  # prefix of source keys: space and list
    look_for_duplicates: bool = True
    zone: ZoneInfo = field(init=False)
    today: dt.date = field(init=False)

    def __post_init__(self) -> None:
        self.zone = ZoneInfo(self.mapping.timezone)
        self.today = clock.today()

    def prepare(self, works: Sequence[Work]) -> None:  # noqa: B027 - not every writer has something to
        """What can be done for rows before their turn comes. Asks no database."""

    @abstractmethod
    def create(self, works: Sequence[Work]) -> None:
        """Write new rows, together."""

    @abstractmethod
    def revise(self, work: Work) -> None:
        """Write a row of which an earlier telling is known."""

    def source_key(self, row: ParsedRow) -> str:
        """At most 120 characters that name the row anywhere."""
        key = f"{self.source}|{row.key}"
        return key if len(key) <= 120 else "h|" + hashlib.blake2b(key.encode(), digest_size=24).hexdigest()

    def when(self, value: When | None) -> When | None:
        """A date as it is; a minute as an aware instant."""
        return value.replace(tzinfo=self.zone) if isinstance(value, dt.datetime) else value

    def person(self, work: Work, dates: Sequence[str]) -> PersonInput:
        values = work.row.values
        age = values.get("person.age")
        return PersonInput(
            territory_code=work.territory,
            name=values.get("person.name", ""),
            sex=values.get("person.sex", "U"),
            date_birth=values.get("person.birth_date"),
            age_years=math.floor(age) if age is not None else None,
            age_reported_on=(first_day(values, dates) or self.as_of) if age is not None else None,
            id_number=values.get("person.id_number", ""),
            phone=values.get("person.phone", ""),
            address=values.get("person.address", ""),
            occupation=values.get("person.occupation", ""),
            source=self.mapping.list_id[:80],
            local_id=work.row.key[:80] if not work.row.key.startswith("h:") else "",
        )

    def identify(self, works: Sequence[Work], people_of: Sequence[PersonInput]) -> list[PersonInput | str]:
        """For each row the person still to register, or the public id of one who is registered.

        Rows that name nobody (age, sex and a number only) are left to the verb that reports them. Malformed
        ones are rejected. Whoever has a known document is that person; whoever only resembles somebody is
        registered, noted, and the pair kept for a person to decide.
        """
        answer: list[PersonInput | str] = list(people_of)
        if not self.look_for_duplicates:
            return answer  # the verb that reports them judges and registers them
        named = [i for i, w in enumerate(works) if w.open and any(k in w.row.values for k in NAMING)]
        sound = [i for i in named if self._judge(works[i], people_of[i])]
        if not sound:
            return answer
        found = register_or_find([people_of[i] for i in sound], self.actor)
        likely = {m.person_id for one in found for m in one.matches[:1] if one.is_new}
        public = lookups.people_by_id(likely)
        for i, one in zip(sound, found, strict=True):
            answer[i] = one.person.public_id
            if one.is_new and one.matches and one.matches[0].person_id in public:
                match = one.matches[0]
                works[i].row.warn("same.maybe", subject=public[match.person_id], why=_why(match))
        return answer

    def _judge(self, work: Work, person: PersonInput) -> bool:
        faults = people.judge(person, on=self.as_of)
        for fault in faults:
            work.row.reject("write.refused", why=fault.message, hint=fault.hint)
        return not faults


def _why(match: Any) -> str:
    points = ", ".join(f"{reason.field} {reason.how}" for reason in match.why if reason.points > 0)
    return f"{match.score}/100: {points}"[:300]


def attempt(works: Sequence[Work], write: Callable[[Sequence[Work]], None]) -> None:
    """Write rows together; rows the verb refuses are rejected with its words, and the others written."""
    left = [w for w in works if w.open]
    while left:
        try:
            write(left)
        except Invalid as refused:
            named = {
                e["row"]: e for e in refused.errors if isinstance(e.get("row"), int) and e["row"] < len(left)
            }
            if not named:
                for work in left:
                    work.row.reject("write.refused", why=refused.message, hint=refused.hint)
                return
            for index, error in named.items():
                left[index].row.reject(
                    "write.refused", why=error.get("message", ""), hint=error.get("hint", "")
                )
            left = [w for w in left if w.open]
            continue
        return


# --- cases ------------------------------------------------------------------------------------------


class CaseWriter(Writer):
    """Line-list rows become persons and cases; the dates in the row become the facts at those dates."""

    def prepare(self, works: Sequence[Work]) -> None:
        sound = [work for work in works if not work.row.rejected]
        for work in sound:
            work.person = self.person(work, CASE_DATES)
        if self.look_for_duplicates:
            return
        told = [work.person for work in sound if work.person is not None]
        ready = get_ready(told, on=self.today)
        inputs = [
            self._input(work, person, ready=one) for work, person, one in zip(sound, told, ready, strict=True)
        ]
        for work, report in zip(sound, judge_reports(inputs, now=self.now), strict=True):
            work.report = report

    def create(self, works: Sequence[Work]) -> None:
        given = [w.person or self.person(w, CASE_DATES) for w in works]
        if self.look_for_duplicates:
            for row, (work, person) in enumerate(zip(works, given, strict=True)):
                if any(k in work.row.values for k in NAMING):
                    self._check(row, work, person)
        who = self.identify(works, given)
        self._known_cases(works, who)
        inputs = {id(w): w.report or self._input(w, p) for w, p in zip(works, who, strict=True) if w.open}

        def write(rows: Sequence[Work]) -> None:
            result = report_cases([inputs[id(w)] for w in rows], actor=self.actor, now=self.now)
            for work, (_pk, public_id) in zip(rows, result.cases, strict=True):
                work.subject = public_id

        attempt(works, write)

    def _check(self, row: int, work: Work, person: PersonInput) -> None:
        """Refuse what the verb would refuse, before a person is registered for it."""
        zone = ZoneInfo(territory.tz_of(work.territory))
        for problem in find_problems(self._input(work, person), row=row, today=self.as_of, tz=zone):
            if problem.level == "error":
                work.row.reject("write.refused", why=problem.message, hint=problem.hint)

    def _known_cases(self, works: Sequence[Work], who: Sequence[PersonInput | str]) -> None:
        """A row whose person has a case of this disease already, here or above in the file, is that case."""
        cases = lookups.cases_of_people({p for p in who if isinstance(p, str)})
        above: dict[tuple[str, str], int] = {}
        for work, person in zip(works, who, strict=True):
            if not work.open or not isinstance(person, str):
                continue
            key = (person, self._disease(work))
            if key in cases:
                work.note_duplicate("same.person", subject=cases[key], why=_("same identity number"))
            elif key in above:
                work.note_duplicate("same.row", line=above[key])
            else:
                above[key] = work.row.line

    def _disease(self, work: Work) -> str:
        return str(work.row.values.get("case.disease") or self.mapping.disease or "covid-19")

    def _input(self, work: Work, person: PersonInput | str, *, ready: Ready | None = None) -> CaseInput:
        values = work.row.values
        words = {name: values[key] for key, name in CASE_WORDS.items() if key in values}
        dates: dict[str, Any] = {
            key.removeprefix("case."): self.when(values[key]) for key in CASE_DATES if key in values
        }
        return CaseInput(
            person=person,
            territory_code=work.territory,
            local_id=values.get("case.local_id", ""),
            source_text=source_text(values),
            source_key=self.source_key(work.row),
            ready=ready,
            **{"disease": self._disease(work), **words},
            **dates,
        )

    def revise(self, work: Work) -> None:
        """The row again with other contents: what differs becomes revisions; a blank takes nothing back."""
        known = lookups.case(work.subject)
        if known is None:
            work.row.reject("link.unknown", value=work.row.key, list=self.mapping.list_id)
            return
        if _someone_else(known, work.row.values):
            work.row.reject(
                "id.other_person", column=self._id_column(), value=work.row.key, subject=work.subject
            )
            return
        changes = self._changes(work, known)
        if not changes:
            work.note_duplicate("same.imported", subject=work.subject)
            return
        try:
            revise_case(
                work.subject,
                changes,
                reason=_("Imported again: list %(list)s, row %(row)s.")
                % {"list": self.mapping.list_id, "row": work.row.key},
                actor=self.actor,
                now=self.now,
            )
        except BihuanError as refused:
            work.row.reject("write.refused", why=refused.message, hint=refused.hint)
            return
        work.revised = True

    def _id_column(self) -> str:
        feeds = self.mapping.feeds("case.local_id")
        return feeds[0].header if feeds else ""

    def _changes(self, work: Work, known: Mapping[str, Any]) -> dict[str, Any]:
        values = work.row.values
        changes = {
            name: values[key]
            for key, name in CASE_WORDS.items()
            if key in values and known[name] != values[key]
        }
        for key in CASE_DATES:
            name = key.removeprefix("case.")
            if key in values and day_of(values[key]) != known[name]:
                changes[name] = self.when(values[key])
        return changes


def source_text(values: Mapping[str, Any]) -> str:
    """What the row says in words: source, symptoms, note; each named, one line."""
    parts = [values.get("case.source_text", "")]
    parts += [
        f"{label}：{values[key]}"
        for key, label in (("case.symptoms", "症状"), ("case.note", "备注"))
        if values.get(key)
    ]
    return "；".join(p for p in parts if p)


def _someone_else(known: Mapping[str, Any], values: Mapping[str, Any]) -> bool:
    """The identifier is the same but the person cannot be: two of sex, age and name contradict."""
    against = 0
    sex = values.get("person.sex")
    against += sex in ("F", "M") and known["sex"] in ("F", "M") and sex != known["sex"]
    age = values.get("person.age")
    against += age is not None and known["age"] is not None and abs(age - known["age"]) > 2
    name = values.get("person.name")
    against += bool(name and known["name"] and name != known["name"])
    return against >= 2


# --- links ------------------------------------------------------------------------------------------


class LinkWriter(Writer):
    """Pairs of known cases become links, as the list states them; nobody becomes a contact by it."""

    def create(self, works: Sequence[Work]) -> None:
        ends = {w.row.values[k] for w in works for k in ("contact.case_id", "contact.to_case_id")}
        cases = lookups.cases_of_list(self.mapping.list_id, ends, space=self.source.split("|")[0])
        for work in works:
            self._check(work, cases)
        left = [w for w in works if w.open]
        pairs = {
            id(w): tuple(cases[w.row.values[k]] for k in ("contact.case_id", "contact.to_case_id"))
            for w in left
        }
        known = lookups.links(pairs.values())
        for work in left:
            if pairs[id(work)] in known:
                one, two = pairs[id(work)]
                work.note_duplicate("link.known", **{"from": one, "to": two})

        def write(rows: Sequence[Work]) -> None:
            link_cases([self._input(w, pairs[id(w)]) for w in rows], actor=self.actor, now=self.now)
            for work in rows:
                work.subject = pairs[id(work)][1]

        attempt(works, write)

    def _check(self, work: Work, cases: Mapping[str, str]) -> None:
        values = work.row.values
        if values["contact.case_id"] == values["contact.to_case_id"]:
            work.row.reject("link.self", value=values["contact.case_id"])
        for key in ("contact.case_id", "contact.to_case_id"):
            if values[key] not in cases:
                header = next((c.header for c in self.mapping.feeds(key)), "")
                work.row.reject("link.unknown", column=header, value=values[key], list=self.mapping.list_id)

    def _input(self, work: Work, ends: tuple[str, ...]) -> LinkInput:
        values = work.row.values
        return LinkInput(
            from_case=ends[0],
            to_case=ends[1],
            kind=values.get("contact.exposure", "unknown"),
            setting=values.get("contact.exposure_text", "")[:200],
            source=(self.mapping.source or self.mapping.list_id)[:120],
        )

    def revise(self, work: Work) -> None:
        work.note_duplicate("same.imported", subject=work.subject)


def territories_of(works: Iterable[Work]) -> set[str]:
    return {w.territory for w in works}
