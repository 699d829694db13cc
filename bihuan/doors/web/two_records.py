"""Two records beside each other, field by field, as far as the post sees them; and who may decide on them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.urls import reverse
from django.utils.translation import gettext as _

from bihuan.care.queries.same_person import Held, held_of
from bihuan.doors.web import places, seen
from bihuan.doors.web.templatetags.bihuan import case_word, when
from bihuan.loops.queries import sight
from bihuan.registry import access as registry_access
from bihuan.registry import clock, masking, scope
from bihuan.registry.errors import NotAllowed
from bihuan.registry.identity import LOCAL
from bihuan.registry.queries import DOCUMENT_LABELS, SEX_LABELS, person_by_public_id
from bihuan.tracing.queries import STATUS_LABELS

RIGHT: Final = "person.merge"


def may_join(person: Any, classes: frozenset[str]) -> bool:
    """Whether the post acted in, which sees `classes` of a record, may join others with it."""
    here = registry_access.may(None, RIGHT, territory_code=person.territory_code)
    return seen.IDENTITY in classes and here.allowed


def may_decide(*people: Any) -> bool:
    """Whether the post acted in may decide if these records are one person: it sees who each is."""
    return all(
        may_join(one, sight.classes_of("person.view", territory_code=one.territory_code, person_id=one.pk))
        for one in people
    )


def require_deciding(*people: Any) -> None:
    """Raise NotAllowed unless `may_decide`."""
    if not may_decide(*people):
        raise NotAllowed(
            _("Whether records are one person is decided by a post that sees who each of them is."),
            hint=_("Ask the CDC of the territory that both lie in."),
        )


@dataclass(frozen=True, slots=True)
class Side:
    """One of two records, as far as the post sees it."""

    person: Any
    classes: frozenset[str]
    view: masking.PersonView
    held: Sequence[Held]

    @property
    def public_id(self) -> str:
        return str(self.person.public_id)

    @property
    def name(self) -> str:
        return seen.name_on_page(self.person, self.classes)

    @property
    def about(self) -> str:
        about = (seen.about(self.person), places.below(self.person.territory_code))
        return " · ".join(part for part in about if part)


def side_of(public_id: str) -> Side:
    """Raises NotFound for somebody out of sight, NotAllowed without the right on her territory."""
    person = person_by_public_id(public_id)
    classes = sight.classes_of("person.view", territory_code=person.territory_code, person_id=person.pk)
    registry_access.require(RIGHT, territory_code=person.territory_code)
    acting = scope.current()
    desk = acting.post_id if acting and seen.IDENTITY in classes else None
    view = masking.shown(person, on=clock.today(), post_id=desk)
    return Side(person, classes, view, held_of([person.pk])[person.pk])


@dataclass(frozen=True, slots=True)
class Told:
    """What a record tells in one field."""

    text: Any
    href: str = ""
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """One field of two records, each with what it tells. `differs`: None where one of them is silent, or
    there is nothing to compare."""

    term: str
    sides: tuple[tuple[Side, Sequence[Told]], tuple[Side, Sequence[Told]]]
    differs: bool | None = None


def lines(a: Side, b: Side) -> list[Line]:
    """What both records tell. Compared is only what stands in the clear: a mask hides a difference."""
    known = all(seen.IDENTITY in side.classes for side in (a, b))
    placed = all(seen.LOCATION in side.classes for side in (a, b))
    x, y = a.person, b.person

    def line(term: str, tells: Callable[[Side], Any], differs: bool | None = None) -> Line:
        told = [_told(tells(side)) for side in (a, b)]
        return Line(term, ((a, told[0]), (b, told[1])), differs)

    return [
        line(_("Name of the person"), lambda s: s.name, _differ(x.name, y.name) if known else None),
        line(_("Sex"), lambda s: _sex(s.person.sex), _differ(_sex(x.sex), _sex(y.sex))),
        line(_("Birth and age"), _born, _births_differ(a, b) if known else None),
        line(_("Phone"), lambda s: s.view.phone, _differ(x.phone_index, y.phone_index) if known else None),
        line(_("Document"), _document, _documents_differ(x, y) if known else None),
        line(
            _("Occupation"),
            lambda s: s.view.occupation,
            _differ(x.occupation, y.occupation) if known else None,
        ),
        line(
            _("Address"),
            lambda s: seen.address_on_page(s.person.address, s.classes),
            _differ(x.address, y.address) if placed else None,
        ),
        line(
            _("Territory"),
            lambda s: places.below(s.person.territory_code),
            x.territory_code != y.territory_code,
        ),
        line(_("Source and its number"), _source),
        line(_("Cases and contacts"), _held),
        line(_("Record made"), lambda s: when(s.person.created_at)),
    ]


def _told(said: Any) -> Sequence[Told]:
    if isinstance(said, list):
        return said
    return [Told(said)] if said else []


def _sex(code: str) -> str:
    return str(dict(SEX_LABELS)[code]) if code in seen.SEXES else ""


def _differ(a: str, b: str) -> bool | None:
    return a.strip() != b.strip() if a and b else None


def _born(side: Side) -> str:
    born, age = side.view.date_birth, side.view.age_years
    parts = [f"{born:%Y-%m-%d}" if born else "", _("%(n)d years") % {"n": age} if age is not None else ""]
    return " · ".join(part for part in parts if part)


def _births_differ(a: Side, b: Side) -> bool | None:
    """By the dates of birth; else by the ages, of which a year apart says nothing."""
    if a.view.date_birth and b.view.date_birth:
        return a.view.date_birth != b.view.date_birth
    if a.view.age_years is None or b.view.age_years is None:
        return None
    apart = abs(a.view.age_years - b.view.age_years)
    return None if apart == 1 else apart > 1


def _document(side: Side) -> str:
    if side.person.id_kind == LOCAL or not side.view.id_number:
        return ""
    kind = str(dict(DOCUMENT_LABELS).get(side.view.id_kind, ""))
    return " · ".join(part for part in (side.view.id_number, kind) if part)


def _documents_differ(x: Any, y: Any) -> bool | None:
    """Two documents of different kinds contradict each other in nothing."""
    same_kind = x.id_kind == y.id_kind != LOCAL
    return _differ(x.id_index, y.id_index) if same_kind else None


def _source(side: Side) -> str:
    person = side.person
    number = _("No. %(id)s") % {"id": person.local_id} if person.local_id else ""
    return " · ".join(part for part in (person.source, number) if part)


def _held(side: Side) -> list[Told]:
    """What the record is: each case and contact with its state, and when that was recorded."""
    states = {key: str(words) for key, words in STATUS_LABELS}
    found = []
    for one in side.held:
        if one.kind == "case":
            state = case_word(one.state) if seen.HEALTH in side.classes else _("Case")
        else:
            state = f"{_('Contact')} · {states.get(one.state, one.state)}"
        href = reverse(f"web:{one.kind}", args=[one.public_id])
        found.append(Told(f"{one.public_id} · {state}", href, one.at))
    return found
