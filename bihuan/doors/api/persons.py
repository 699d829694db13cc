"""People in answers: masked in every list, and each showing noted in the access log."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ninja import Schema

from bihuan.cases.queries import people
from bihuan.cases.queries.people import PersonBrief
from bihuan.doors.api.operation import Call
from bihuan.registry import audit
from bihuan.registry.masking import mask_name

OPERATIONAL, HEALTH, LOCATION, IDENTITY = "operational", "health", "location", "identity"


class PersonRef(Schema):
    """Somebody in a list. `name` is masked (周*明); who may see more asks /persons/{id}."""

    id: str
    name: str
    sex: str
    age_years: int | None


def ref(person: PersonBrief | None) -> PersonRef | None:
    """A person as lists show her; None for one who lives out of sight."""
    if person is None:
        return None
    return PersonRef(
        id=person.public_id, name=mask_name(person.name), sex=person.sex, age_years=person.age_years
    )


def refs(ids: Iterable[int | None]) -> Mapping[int, PersonRef]:
    """The people of a list by row id; those out of sight are missing."""
    found = people.briefs(n for n in ids if n is not None)
    return {n: made for n, brief in found.items() if (made := ref(brief)) is not None}


def note(call: Call, ids: Iterable[int | None], shown: Iterable[str]) -> None:
    """Write into the access log who was shown, which classes of fields, and what for."""
    known = [n for n in ids if n is not None]
    if known:
        audit.log_read(known, sorted(shown), call.purpose)
