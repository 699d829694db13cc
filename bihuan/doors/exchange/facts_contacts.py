"""Contact rows become persons, contacts, and what the list says of their observation.

What a row proves, and no more:
- named a close contact on the day it was notified, or on the first day of observation if that was earlier;
- under observation at home from its start, planned to its end, by the decision of who kept the list;
- completed: released on the last day; lost: not found again by the last day, search given up.
Daily checks are not in such lists and are not invented: those duties end unanswered with the observation.
Whoever is an open contact of another case already takes the further exposure there; a running order is not
lengthened by a list, somebody decides. Rows about one person are taken one after another, so that it does not
matter where a chunk of the file ends.
A contact that became a case stays open until somebody says which case; an unclear status stays open too.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Sequence, Set
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from bihuan.care.actions import (
    OrderInput,
    ReleaseInput,
    order_observations,
    record_all_lost,
    release_contacts,
)
from bihuan.registry.errors import BihuanError
from bihuan.registry.people import PersonInput
from bihuan.tracing.actions import ContactInput, LostInput, confirm_contacts

from . import lookups
from .facts import Work, Writer, attempt
from .parse import day_of
from .rows import ParsedRow

CONTACT_DATES = (
    "contact.date_reported",
    "contact.date_first_exposure",
    "contact.date_last_exposure",
    "contact.date_follow_up_start",
)
START, END, STATUS = "contact.date_follow_up_start", "contact.date_follow_up_end", "contact.final_status"
OPEN = ("candidate", "confirmed")


class ContactWriter(Writer):
    """Contacts of known cases."""

    def create(self, works: Sequence[Work]) -> None:
        keys = {w.row.values["contact.case_id"] for w in works}
        cases = lookups.cases_of_list(self.mapping.list_id, keys, space=self.source.split("|")[0])
        for work in works:
            key = work.row.values["contact.case_id"]
            if key not in cases:
                header = next((c.header for c in self.mapping.feeds("contact.case_id")), "")
                work.row.reject("link.unknown", column=header, value=key, list=self.mapping.list_id)
        works = [w for w in works if w.open]
        who = self.identify(works, [self.person(w, CONTACT_DATES) for w in works])
        self._known_contacts(works, who, cases)
        named = [(w, p) for w, p in zip(works, who, strict=True) if w.open]
        inputs = {id(w): self._input(w, p, cases) for w, p in named}

        def write(rows: Sequence[Work]) -> None:
            result = confirm_contacts([inputs[id(w)] for w in rows], actor=self.actor, now=self.now)
            for work, one in zip(rows, result.named, strict=True):
                work.subject = one.public_id
                if one.joined:
                    work.row.warn("contact.joined", subject=one.public_id)

        for turn in _in_turns(named):
            attempt(turn, write)
            taken = [w for w in turn if w.open and w.subject]
            for rows in _in_turns([(w, w.subject) for w in taken]):
                self._follow(rows)

    def _known_contacts(
        self, works: Sequence[Work], who: Sequence[PersonInput | str], cases: dict[str, str]
    ) -> None:
        """The same person named for the same case is the same contact."""
        known = lookups.contacts_of_people({p for p in who if isinstance(p, str)})
        above: dict[tuple[str, str], int] = {}
        for work, person in zip(works, who, strict=True):
            if not work.open or not isinstance(person, str):
                continue
            key = (person, cases[work.row.values["contact.case_id"]])
            if key in known:
                work.note_duplicate("same.person", subject=known[key], why=_("same identity number"))
            elif key in above:
                work.note_duplicate("same.row", line=above[key])
            else:
                above[key] = work.row.line

    def _input(self, work: Work, person: PersonInput | str, cases: dict[str, str]) -> ContactInput:
        values = work.row.values
        return ContactInput(
            person=person,
            territory_code=work.territory,
            case=cases[values["contact.case_id"]],
            exposure_kind=values.get("contact.exposure", "unknown"),
            setting=values.get("contact.exposure_text", "")[:200],
            exposure_first=_day(values.get("contact.date_first_exposure")),
            exposure_last=_day(values.get("contact.date_last_exposure")),
            criterion=_("as listed")[:120],
            confirmed=self._named(work.row),
            local_id=values.get("contact.local_id", ""),
            source_key=self.source_key(work.row),
        )

    def _named(self, row: ParsedRow) -> Any:
        """The earlier of notification and start of observation: nobody is observed before being named."""
        known = [row.values[k] for k in ("contact.date_reported", START) if k in row.values]
        return self.when(min(known, key=day_of)) if known else None

    # --- what followed ---

    def _follow(self, works: Sequence[Work]) -> int:
        """Record the observation and its end; returns for how many rows anything was recorded."""
        decided = [w for w in works if START in w.row.values and self._decider(w)]
        for work in works:
            if START in work.row.values and not self._decider(work):
                work.row.warn("contact.no_decision")
        known = lookups.orders_of([w.subject for w in works])
        ordered = self._order([w for w in decided if self._goes_beyond(w, known.get(w.subject))])
        observed = known.keys() | {w.subject for w in ordered}
        ended = self._end([w for w in works if w.row.values.get(STATUS)], observed)
        return len({id(w) for w in (*ordered, *ended)})

    def _goes_beyond(self, work: Work, known: lookups.Observed | None) -> bool:
        """Does the row tell of days under observation that no order of the contact covers?"""
        last = _day(work.row.values.get(END))
        if known is None or last is None or last <= known.last_day:
            return known is None
        if known.is_running:
            work.row.warn("follow.runs", until=known.last_day.isoformat(), told=last.isoformat())
            return False
        start = max(day_of(work.row.values[START]), known.last_day + dt.timedelta(days=1))
        work.row.values[START] = start
        return True

    def _decider(self, work: Work) -> str:
        return str(
            work.row.values.get("contact.approver") or ("" if self.actor.is_system else self.actor.name)
        )

    def _order(self, works: Sequence[Work]) -> list[Work]:
        def order(rows: Sequence[Work]) -> None:
            given = [self._order_input(w) for w in rows]
            order_observations(given, actor=self.actor, now=self.now, placed=True)

        return self._together(works, order)

    def _order_input(self, work: Work) -> OrderInput:
        values = work.row.values
        return OrderInput(
            contact=work.subject,
            kind="home",
            started=self.when(values[START]),
            evidence=_("list %(list)s, row %(row)s") % {"list": self.mapping.list_id, "row": work.row.key},
            approver=self._decider(work),
            last_day=_day(values.get(END)),
        )

    def _end(self, works: Sequence[Work], observed: Set[str]) -> list[Work]:
        released = [w for w in works if w.row.values[STATUS] == "completed" and w.subject in observed]
        lost = [w for w in works if w.row.values[STATUS] == "lost"]
        for work in works:
            status = work.row.values[STATUS]
            if status == "became_case":
                work.row.warn("contact.case_unnamed", column=self._status_column())
            elif status == "completed" and START not in work.row.values and work.subject not in observed:
                work.row.warn("contact.no_start", column=self._status_column())
            elif status == "insufficient":
                work.row.warn("contact.unclear", column=self._status_column(), value=status)
        done = self._together(released, self._release)
        return [*done, *self._together(lost, self._lose)]

    def _release(self, works: Sequence[Work]) -> None:
        given = [ReleaseInput(w.subject, at=self._ended(w)) for w in works]
        release_contacts(given, actor=self.actor, now=self.now)

    def _lose(self, works: Sequence[Work]) -> None:
        reason = _("Lost, says list %(list)s.") % {"list": self.mapping.list_id}
        given = [LostInput(w.subject, reason, at=self._ended(w), final=True) for w in works]
        record_all_lost(given, actor=self.actor, now=self.now)

    def _ended(self, work: Work) -> Any:
        return self.when(work.row.values.get(END)) or self.as_of

    def _status_column(self) -> str:
        feeds = self.mapping.feeds(STATUS)
        return feeds[0].header if feeds else ""

    def _together(self, works: Sequence[Work], do: Callable[[Sequence[Work]], Any]) -> list[Work]:
        """Do it for all at once; if the verb refuses, one by one, noting the refused. The contact stays."""
        if not works:
            return []
        try:
            with transaction.atomic():
                do(works)
        except BihuanError as refused:
            if len(works) == 1:
                works[0].row.warn("follow.refused", why=refused.message, hint=refused.hint)
                return []
            return [one for work in works for one in self._together([work], do)]
        return list(works)

    def revise(self, work: Work) -> None:
        """The row again with other contents: what followed since is recorded; the naming itself stays."""
        known = lookups.contact(work.subject)
        if known is None:
            work.row.reject("link.unknown", value=work.row.key, list=self.mapping.list_id)
            return
        if known["status"] in OPEN and self._follow([work]):
            work.revised = True
            return
        work.note_duplicate("same.imported", subject=work.subject)


def _in_turns(named: Iterable[tuple[Work, object]]) -> list[list[Work]]:
    """Rows so that no turn has two about the same: the first about each, then the second ones, and so on. New
    people (facts, not a name) are each somebody else."""
    turns: list[list[Work]] = []
    met: dict[str, int] = {}
    for work, whom in named:
        n = met.get(whom, 0) if isinstance(whom, str) else 0
        if isinstance(whom, str):
            met[whom] = n + 1
        if n == len(turns):
            turns.append([])
        turns[n].append(work)
    return turns


def _day(value: Any) -> Any:
    return day_of(value) if value is not None else None
