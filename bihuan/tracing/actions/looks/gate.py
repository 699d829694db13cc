"""The one gate to the visit store for looks at persons: who may pass, within which hours, and the note of
it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np
from django.utils.translation import gettext as _

from bihuan.cases.actions.common import authorize, moment_now, zone_of
from bihuan.cases.models import Case
from bihuan.cases.rules import Classification
from bihuan.epi.visits import VisitStore
from bihuan.epi.visits.recorded import Stay, how_of
from bihuan.policy.values import value
from bihuan.registry import access, audit, scope
from bihuan.registry.actor import Actor
from bihuan.registry.errors import Conflict, Invalid
from bihuan.registry.models import Person
from bihuan.registry.purposes import neutral
from bihuan.registry.purposes import purpose as kept
from bihuan.registry.text import name_of
from bihuan.tracing import visits
from bihuan.tracing.actions import pseudonyms
from bihuan.tracing.actions.windows import renew
from bihuan.tracing.errors import InvestigationClosed, UnknownInvestigation
from bihuan.tracing.models import Investigation, Place, VisitLook
from bihuan.tracing.rules.recorded import word_of
from bihuan.tracing.rules.settings import SettingKind

RIGHT = "visits.look"
#: What the access log calls what was shown.
SHOWN = ("visits",)
MARGIN_KEY = "investigation.look_margin_hours"


@dataclass(frozen=True, slots=True)
class Gate:
    """Somebody who may look, for one open investigation: at [since, until] (UTC) and no further. `root` is
    the person of the case, as joined with her other records."""

    investigation: Investigation
    case: Case
    purpose: str
    actor: Actor
    at: datetime
    since: datetime
    until: datetime
    root: int

    @property
    def window(self) -> tuple[datetime, datetime]:
        """The days in which the case may have infected others, up to now at most."""
        return self.investigation.window_from, min(self.investigation.window_to or self.at, self.at)

    def bounded(self, since: datetime | None, until: datetime | None) -> tuple[datetime, datetime]:
        """What was asked for, the whole of it where nothing was said. Raises Invalid outside of the gate."""
        begin, end = since or self.since, until or self.until
        if begin > end:
            raise Invalid(_("The time asked for ends before it begins."), code="look-turned")
        if begin < self.since or end > self.until:
            tz = zone_of(self.case.territory_code)
            words = {
                "id": self.investigation.public_id,
                "from": f"{self.since.astimezone(tz):%Y-%m-%d %H:%M}",
                "to": f"{self.until.astimezone(tz):%Y-%m-%d %H:%M}",
            }
            raise Invalid(
                _("Investigation %(id)s may look at %(from)s to %(to)s, and no further.") % words,
                hint=_(
                    "Ask for a time within it. If the onset or isolation is wrong, revise the case first."
                ),
                code="look-out-of-window",
                details={"from": self.since.isoformat(), "to": self.until.isoformat()},
            )
        return begin, end


def enter(investigation_id: str, *, purpose: str, actor: Actor, now: datetime | None = None) -> Gate:
    """Pass the gate, within the transaction of the caller. The investigation is held until its end.

    Raises UnknownInvestigation (none in the scope), NotAllowed (no `visits.look` there; a broken glass does
    not let one look), InvestigationClosed, Invalid (no purpose).
    """
    rows = Investigation.objects.select_for_update(of=("self",)).select_related("case")
    found = rows.filter(public_id=investigation_id).first()
    if found is None:
        raise UnknownInvestigation(investigation_id)
    authorize(RIGHT, found.territory_code)
    if not scope.is_system():
        access.require(RIGHT, field_class="location", territory_code=found.territory_code)
    if found.status != Investigation.OPEN:
        raise InvestigationClosed(found.public_id)
    if found.case.classification == Classification.DISCARDED:
        raise Conflict(
            _("Case %(id)s was discarded: nobody is looked at for it.") % {"id": found.case.public_id},
            hint=_("Close the investigation; or revise the classification, if it is a case after all."),
            code="look-discarded",
        )
    why = neutral(purpose)
    if not why:
        raise Invalid(
            _("Nobody looks at who was where without a purpose."),
            hint=_("Say what is to be found out, in a few words."),
            code="no-purpose",
            details={"field": "purpose"},
        )
    at = moment_now(now)
    renew(found, now=at)
    hours = timedelta(hours=float(value(MARGIN_KEY, found.territory_code, found.opened_at).value))
    until = min(found.window_to or at, at)
    return Gate(
        found,
        found.case,
        why[:200],
        actor,
        at,
        found.source_from - hours,
        min(until + hours, at),
        _root(found),
    )


def _root(found: Investigation) -> int:
    """The person of the case, who may have moved out of the territory since."""
    with everywhere():
        known = Person.objects.filter(id=found.case.person_id).values_list("root_id", flat=True).first()
    return known or found.case.person_id


def noted(
    gate: Gate,
    kind: str,
    *,
    persons: Iterable[int],
    rows: int,
    since: datetime,
    until: datetime,
    place: str = "",
) -> VisitLook:
    """Write that this was looked at: a line of the investigation, and one in the access log of each person.

    The purpose in the words of the investigator stands with the investigation; the log of everybody else
    names the investigation and what was asked, as those words may name the case. People living elsewhere
    are noted too, who is shown only their county: their own house is to see it.
    """
    others = sorted(set(persons) - {gate.case.person_id, gate.root})
    of = gate.investigation.public_id
    with everywhere():
        why = kept(f"look.{kind}.for", of, gate.purpose)
        audit.log_read([gate.case.person_id], SHOWN, why)
        audit.log_read(others, SHOWN, kept(f"look.{kind}", of))
    acting = scope.current()
    return VisitLook.objects.create(
        investigation=gate.investigation,
        territory_code=gate.investigation.territory_code,
        at=gate.at,
        kind=kind,
        purpose=gate.purpose,
        account_id=gate.actor.account_id,
        post_id=gate.actor.post_id if acting is None else acting.post_id,
        by_name=gate.actor.name,
        door=gate.actor.door,
        persons=sorted({gate.case.person_id, *others}),
        place=place,
        since=since,
        until=until,
        rows=rows,
    )


@contextmanager
def everywhere() -> Iterator[None]:
    """The post acted in, without its fence: to note that people elsewhere were looked at, and who they are
    one person, never to show them."""
    acting = scope.current()
    if acting is None:
        yield
        return
    with scope.acting_as(replace(acting, lo="")):
        yield


def recorded(store: VisitStore, stays: Iterable[Stay]) -> dict[Stay, str]:
    """How these stays were recorded, in the words of `rules.recorded`; one that cannot be read is missing."""
    return {stay: word_of(code) for stay, code in how_of(store, stays).items()}


# --- numbers of the store, places of the register -------------------------------------------------------


def case_numbers(gate: Gate) -> list[int]:
    """The signed keyed numbers of the case; [] if the register holds nothing a gate could have recorded."""
    with everywhere():  # the case is of this territory, also if the person has moved since
        return sorted(next(iter(pseudonyms.keys_of([gate.case.person_id]).values()), []))


def small_numbers(store: VisitStore, keys: Sequence[int]) -> list[int]:
    """Small numbers of those who are in the store, in the order of `keys`; the others are left out."""
    found = store.people.find(np.array([visits.unsigned(key) for key in keys], np.uint64))
    return [int(number) for number in found if number >= 0]


def key_of(store: VisitStore, person: int) -> int:
    """The signed keyed number behind a small number."""
    return visits.signed(int(store.people.keys[person]))


@dataclass(frozen=True, slots=True)
class PlaceName:
    """A place as a look shows it. `pk`, `public_id` only where the place is registered; else the id the gate
    gave is its name. `territory` "" = not known."""

    store_id: str
    pk: int | None
    public_id: str
    name: str
    kind: str
    territory: str


def named(store_ids: Iterable[str]) -> dict[str, PlaceName]:
    """Names of places by their id in the store. A case has been in other counties too, and a place is
    nobody's personal data: all of the register is asked."""
    wanted = sorted(set(store_ids))
    with scope.system():
        rows = {p.store_id: p for p in Place.objects.filter(store_id__in=wanted)}
    return {
        store_id: PlaceName(store_id, p.pk, p.public_id, name_of(p.name, p.name_en), p.kind, p.territory_code)
        if (p := rows.get(store_id)) is not None
        else PlaceName(store_id, None, "", store_id, SettingKind.UNKNOWN.value, "")
        for store_id in wanted
    }
