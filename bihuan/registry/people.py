"""What is told of a person when she is reported: judged, and made ready to be stored and found. No query.

`judge` lists what is wrong with a report; `prepare` gives the columns. Both are used by the single and the
bulk verbs and by the duplicate search, so that a person is spelled and hashed in one way only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any, Final

from django.utils.translation import gettext as _

from bihuan.registry import identity, names
from bihuan.registry.errors import Invalid
from bihuan.registry.secrets import Keyring, keyring

SEXES: Final = ("M", "F", "O", "U")
_LONGEST_AGE: Final = 130
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_LONGEST: Final = {"name": 200, "address": 300, "occupation": 80, "source": 80, "local_id": 80}


@dataclass(frozen=True, slots=True, repr=False)
class PersonInput:
    """A person as reported. Everything but `territory_code` may be missing.

    `age_years` is the completed age on `age_reported_on` (local date). `id_kind` is one of
    `identity.ID_KINDS`; "" with a number lets its form decide. `local_id` is the number the source gives the
    record; together with `source` it names the record, not the person. Its repr shows no personal data.
    """

    territory_code: str
    name: str = ""
    sex: str = "U"
    date_birth: date | None = None
    age_years: int | None = None
    age_reported_on: date | None = None
    id_kind: str = ""
    id_number: str = ""
    phone: str = ""
    address: str = ""
    household_id: int | None = None
    occupation: str = ""
    source: str = ""
    local_id: str = ""
    phone_country: str = "86"

    def __repr__(self) -> str:
        return f"PersonInput(territory_code={self.territory_code!r}, source={self.source!r})"


@dataclass(frozen=True, slots=True, repr=False)
class Prepared:
    """The stored form of a report. Numbers are in the clear here, and leave only as cipher and index."""

    given: PersonInput
    name: str
    keys: names.NameKeys
    key: str
    sex: str
    date_birth: date | None
    birth_year: int | None
    id_kind: str
    id_number: str
    id_index: str
    phone: str
    phone_index: str

    def __repr__(self) -> str:
        return f"Prepared(territory_code={self.given.territory_code!r})"


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with one field of a report; `message` and `hint` in the reader's language."""

    field: str
    rule: str
    message: str
    hint: str = ""

    def as_dict(self) -> dict[str, str]:
        return {"field": self.field, "rule": self.rule, "message": self.message, "hint": self.hint}


@dataclass(slots=True)
class _Judged:
    faults: list[Fault] = field(default_factory=list)
    document: identity.Identity | None = None
    phone: identity.Phone | None = None


def judge(person: PersonInput, *, on: date) -> list[Fault]:
    """All that is wrong with a report, [] when nothing is. `on` is the local date of the judgement."""
    return _judge(person, on).faults


def prepare(person: PersonInput, *, on: date, ring: Keyring | None = None) -> Prepared:
    """The stored form of a report; `Invalid` with every fault when there are any."""
    judged = _judge(person, on)
    if judged.faults:
        raise Invalid(
            _("The person cannot be registered as reported."),
            errors=[fault.as_dict() for fault in judged.faults],
            code="invalid-person",
        )
    return _prepared(person, judged, ring or keyring())


def try_prepare(person: PersonInput, *, on: date) -> Prepared | None:
    """The stored form of a report; None when there is anything wrong with it."""
    judged = _judge(person, on)
    return None if judged.faults else _prepared(person, judged, keyring())


def prepare_many(
    people: Sequence[PersonInput], *, on: date, rows: Sequence[int] | None = None
) -> list[Prepared]:
    """The stored forms in order; one `Invalid` names all faults of all rows. `rows`: how the caller counts
    them (from 0 if not said)."""
    ring, ready, errors = keyring(), [], []
    for row, person in zip(range(len(people)) if rows is None else rows, people, strict=True):
        judged = _judge(person, on)
        if judged.faults:
            errors += [{"row": row, **fault.as_dict()} for fault in judged.faults]
        elif not errors:
            ready.append(_prepared(person, judged, ring))
    if errors:
        raise Invalid(
            _("%(n)s rows cannot be registered as reported.") % {"n": len({e["row"] for e in errors})},
            errors=errors,
            code="invalid-person",
        )
    return ready


def judge_identity(number: str, *, kind: str, on: date) -> tuple[identity.Identity, Fault | None]:
    """A document number judged, and what to tell about it. No kind: the form of the number decides."""
    judged = identity.check_identity(number, kind=kind or identity.guess_kind(number), on=on)
    return judged, _fault("id_number", judged.problem) if judged.problem else None


def following(told: PersonInput, changes: Mapping[str, Any], *, on: date) -> dict[str, Any]:
    """What else changes with `changes`: an age is of the local day `on` unless its day is named; a date of
    birth takes its place; with a document number goes what was read from it. Another number is of a document
    of the same kind (one digit less does not make a passport of a card), unless it is a whole card number.
    """
    more: dict[str, Any] = {}
    if changes.get("date_birth"):
        more |= {"age_years": None, "age_reported_on": None}
    elif "age_years" in changes:
        more |= {"age_reported_on": None if changes["age_years"] is None else on}
    if told.id_number and changes.get("id_number", told.id_number) != told.id_number:
        document, _wrong = judge_identity(told.id_number, kind=told.id_kind, on=on)
        if told.date_birth is not None and told.date_birth == document.date_birth:
            more |= {"date_birth": None}
        if told.sex in ("M", "F") and told.sex == document.sex:
            more |= {"sex": "U"}
    number = changes.get("id_number", told.id_number)
    if number != told.id_number and told.id_kind == identity.LOCAL:
        more |= {"id_kind": ""}
    elif number != told.id_number and identity.guess_kind(number) == identity.RESIDENT:
        more |= {"id_kind": identity.RESIDENT}
    return more


def _judge(person: PersonInput, on: date) -> _Judged:
    result = _Judged()
    faults = result.faults
    if not person.territory_code:
        faults.append(Fault("territory_code", "required", _("A person needs a territory.")))
    if person.sex not in SEXES:
        faults.append(
            Fault(
                "sex", "choice", _("Sex “%(sex)s” is unknown.") % {"sex": person.sex}, _("Use M, F, O or U.")
            )
        )
    for name, longest in _LONGEST.items():
        text = getattr(person, name)
        if not text:
            continue
        if _CONTROL.search(text):
            faults.append(Fault(name, "characters", _("The field holds control characters.")))
        if len(text) > longest:
            faults.append(
                Fault(name, "length", _("The field holds at most %(n)s characters.") % {"n": longest})
            )
    if person.id_number:
        result.document, fault = judge_identity(person.id_number, kind=person.id_kind, on=on)
        faults += [fault] if fault else []
    if person.phone:
        result.phone = identity.normalize_phone(person.phone, country=person.phone_country)
        faults += [_fault("phone", result.phone.problem)] if result.phone.problem else []
    faults += _age_faults(person, on)
    faults += _contradictions(person, result.document)
    return result


def _fault(name: str, problem: identity.Problem) -> Fault:
    message = _(identity.MESSAGES[problem.code]) % problem.params
    hint = identity.HINTS.get(problem.code, "")
    return Fault(name, f"identity.{problem.code}", message, _(hint) % problem.params if hint else "")


def _age_faults(person: PersonInput, on: date) -> list[Fault]:
    faults = []
    if person.date_birth and person.date_birth > on:
        faults.append(Fault("date_birth", "future", _("The birth date lies in the future.")))
    if person.date_birth and on.year - person.date_birth.year > _LONGEST_AGE:
        faults.append(Fault("date_birth", "old", _("The birth date lies too far back.")))
    if person.age_years is not None and not 0 <= person.age_years <= _LONGEST_AGE:
        faults.append(
            Fault("age_years", "range", _("An age lies between 0 and %(n)s years.") % {"n": _LONGEST_AGE})
        )
    return faults


def _contradictions(person: PersonInput, judged: identity.Identity | None) -> list[Fault]:
    """The number says otherwise than the fields: nobody but the reporter can tell which is right."""
    if judged is None or judged.problem:
        return []
    faults = []
    if person.date_birth and judged.date_birth and person.date_birth != judged.date_birth:
        message = _("The birth date differs from the one in the identity number.")
        faults.append(
            Fault("date_birth", "identity.birth_differs", message, _("Compare both with the card."))
        )
    if person.sex in ("M", "F") and judged.sex in ("M", "F") and person.sex != judged.sex:
        message = _("The sex differs from the one in the identity number.")
        faults.append(Fault("sex", "identity.sex_differs", message, _("Compare both with the card.")))
    return faults


def _prepared(person: PersonInput, judged: _Judged, ring: Keyring) -> Prepared:
    name = names.clean(person.name)
    keys = names.keys(name)
    document = judged.document
    number = (document.canonical or "") if document else ""
    kind = document.kind if document else ""
    phone = (judged.phone.canonical or "") if judged.phone else ""
    born = person.date_birth or (document.date_birth if document else None)
    sex = document.sex if document and person.sex == "U" else person.sex
    return Prepared(
        given=person if born == person.date_birth else replace(person, date_birth=born),
        name=name,
        keys=keys,
        key=names.sorting_key(name, keys),
        sex=sex,
        date_birth=born,
        birth_year=birth_year(born, person.age_years, person.age_reported_on),
        id_kind=kind,
        id_number=number,
        id_index=id_index(kind, number, ring=ring),
        phone=phone,
        phone_index=phone_index(phone, ring=ring),
    )


def birth_year(born: date | None, age_years: int | None, reported_on: date | None) -> int | None:
    """The year of birth, or the later of the two that an age on a date allows; None when unknown."""
    if born:
        return born.year
    if age_years is None or reported_on is None:
        return None
    return reported_on.year - age_years


def id_index(kind: str, canonical: str, *, ring: Keyring | None = None) -> str:
    """The keyed hash of a document number; "" for none, and for numbers that only name a record."""
    if not canonical or kind == identity.LOCAL:
        return ""
    return (ring or keyring()).index(f"id.{kind}", canonical)


def phone_index(canonical: str, *, ring: Keyring | None = None) -> str:
    """The keyed hash of a telephone number in its canonical form; "" for none."""
    return (ring or keyring()).index("phone", canonical) if canonical else ""


def id_place(public_id: str) -> str:
    """Where the cipher of a person's document number belongs."""
    return f"person.id:{public_id}"


def phone_place(public_id: str) -> str:
    """Where the cipher of a person's telephone number belongs."""
    return f"person.phone:{public_id}"


def columns(ready: Prepared, *, public_id: str, ring: Keyring | None = None) -> dict[str, Any]:
    """The columns of `Person` that a report fills, ciphers included. Not: ids, root, created_at."""
    ring, given = ring or keyring(), ready.given
    return {
        "territory_code": given.territory_code,
        "name": ready.name,
        "name_pinyin": ready.keys.pinyin[:200],
        "name_initials": ready.keys.initials[:40],
        "name_key": ready.key[:200],
        "name_tokens": list(ready.keys.tokens),
        "sex": ready.sex,
        "date_birth": ready.date_birth,
        "birth_year": ready.birth_year,
        "age_years": given.age_years,
        "age_reported_on": given.age_reported_on,
        "id_kind": ready.id_kind,
        "id_cipher": ring.encrypt(ready.id_number, place=id_place(public_id)) if ready.id_number else None,
        "id_index": ready.id_index,
        "phone_cipher": ring.encrypt(ready.phone, place=phone_place(public_id)) if ready.phone else None,
        "phone_index": ready.phone_index,
        "address": given.address.strip(),
        "household_id": given.household_id,
        "occupation": given.occupation.strip(),
        "source": given.source,
        "local_id": given.local_id,
    }
