"""A person as a request tells her."""

from typing import Any

from ninja import Schema
from pydantic import Field

from bihuan.doors.api.reading import Day
from bihuan.doors.api.shapes import place_of_record
from bihuan.registry import clock
from bihuan.registry.people import PersonInput


class PersonIn(Schema):
    """A person as reported; everything may be missing. `territory_code` "" = that of the record.

    `age_years` is the completed age on `age_reported_on`.
    """

    name: str = Field("", max_length=200)
    sex: str = Field("U", max_length=1, description="M, F, O or U.")
    date_birth: Day | None = None
    age_years: int | None = Field(None, ge=0, le=150)
    age_reported_on: Day | None = None
    id_kind: str = Field("", max_length=20)
    id_number: str = Field("", max_length=40)
    phone: str = Field("", max_length=40)
    phone_country: str = Field("86", max_length=4, pattern=r"^[0-9]{1,4}$")
    address: str = Field("", max_length=300)
    occupation: str = Field("", max_length=80)
    local_id: str = Field("", max_length=80)
    territory_code: str = Field("", max_length=40)


def person_input(given: str | PersonIn, territory_code: str) -> PersonInput | str:
    """What the rooms take: the public id of a known person, or the facts of one."""
    if isinstance(given, str):
        return given
    told: dict[str, Any] = given.dict(exclude={"territory_code"})
    if told["age_years"] is not None and told["age_reported_on"] is None:
        told["age_reported_on"] = clock.today()
    code = place_of_record(given.territory_code) if given.territory_code else territory_code
    return PersonInput(territory_code=code, **told)
