"""What of a person is shown to whom.

`shown` decides by the grants of the one who looks; the `mask_` functions are pure. Masks keep enough to
recognize somebody one already knows of, and too little to find a stranger. They never grow with what they
hide, except for Chinese names, whose length is public custom (周*明).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date

from bihuan.registry import access, people
from bihuan.registry import names as naming
from bihuan.registry.models import Person
from bihuan.registry.scope import Scope
from bihuan.registry.secrets import keyring


@dataclass(frozen=True, slots=True)
class PersonView:
    """A person as one reader may see her. "" and None: not told, or not for this reader.

    `fields` names the personal data that are shown unmasked: give it to `audit.log_read`.
    """

    id: int
    public_id: str
    root_id: int
    name: str
    sex: str
    age_years: int | None
    date_birth: date | None
    id_kind: str
    id_number: str
    phone: str
    address: str
    occupation: str
    territory_code: str
    fields: tuple[str, ...]

    @property
    def is_masked(self) -> bool:
        return "name" not in self.fields


def shown(
    person: Person,
    scope: Scope | None = None,
    *,
    on: date,
    post_id: int | None = None,
    with_number: bool = False,
) -> PersonView:
    """What the reader may see of a person (`scope` None: the one acted in; `on`: local date, for the age).

    Identity data (name, birth date, telephone, occupation) and the address need `person.view` with the field
    class identity and location; without them they are masked. `post_id` is the desk on which something about
    her lies. The document number is masked even so, unless `with_number` asks for it (a deliberate act of
    the reader, which the page makes one).
    """
    classes = access.field_classes(
        scope, "person.view", territory_code=person.territory_code, post_id=post_id
    )
    full, place = "identity" in classes, "location" in classes
    phone, number = _phone_of(person), _number_of(person)
    told = {
        "name": full and person.name,
        "date_birth": full and person.date_birth,
        "phone": full and phone,
        "id_number": full and with_number and number,
        "occupation": full and person.occupation,
        "address": place and person.address,
    }
    return PersonView(
        id=person.pk,
        public_id=person.public_id,
        root_id=person.root_id,
        name=person.name if full else mask_name(person.name),
        sex=person.sex,
        age_years=age_on(person, on),
        date_birth=person.date_birth if full else None,
        id_kind=person.id_kind if full else "",
        id_number=number if full and with_number else mask_id(number),
        phone=phone if full else mask_phone(phone),
        address=person.address if place else mask_address(person.address),
        occupation=person.occupation if full else "",
        territory_code=person.territory_code,
        fields=tuple(name for name, value in told.items() if value),
    )


def age_on(person: Person, on: date) -> int | None:
    """Completed years on a day: from the birth date, else the reported age brought forward; None unknown."""
    born = person.date_birth
    if born:
        return on.year - born.year - ((on.month, on.day) < (born.month, born.day))
    if person.age_years is None or person.age_reported_on is None:
        return person.age_years
    return person.age_years + (on - person.age_reported_on).days // 365


def _number_of(person: Person) -> str:
    if not person.id_cipher:
        return ""
    return keyring().decrypt(person.id_cipher, place=people.id_place(person.public_id))


def _phone_of(person: Person) -> str:
    if not person.phone_cipher:
        return ""
    return keyring().decrypt(person.phone_cipher, place=people.phone_place(person.public_id))


def mask_name(name: str) -> str:
    """周小明 → 周*明, 李明 → 李*, 欧阳小明 → 欧阳*明, 买买提·艾力 → 买**, Ana Pérez → A*** P***.

    An empty name stays empty.
    """
    text = naming.clean(name)
    if not text:
        return ""
    if not naming.is_han(text):
        return " ".join(f"{word[0]}***" for word in text.split())
    cut = naming.surname_length(text)
    if not cut or not all(naming.is_han(c) for c in text):
        return f"{text[0]}**"
    if len(text) == 1:
        return "*"
    hidden = len(text) - cut
    return text[:cut] + ("*" if hidden == 1 else "*" * (hidden - 1) + text[-1])


def mask_phone(phone: str) -> str:
    """+8613812341234 → 138****1234; other numbers keep their last two digits (+502…78 → ****78)."""
    mainland = re.fullmatch(r"(?:\+?86)?(1\d{2})\d{4}(\d{4})", phone.strip())
    if mainland:
        return f"{mainland[1]}****{mainland[2]}"
    digits = re.sub(r"\D", "", phone)
    return f"****{digits[-2:]}" if digits else ""


def mask_id(number: str) -> str:
    """420302198001010011 → 4203************11; other documents keep their last two characters."""
    text = number.strip()
    if re.fullmatch(r"\d{17}[\dXx]", text):
        return f"{text[:4]}{'*' * 12}{text[-2:]}"
    return f"****{text[-2:]}" if len(text) > 4 else "****" if text else ""


def mask_address(address: str) -> str:
    """The address down to the street, house and room hidden: 张湾区汉江路12号3单元 → 张湾区汉江路**.

    What follows the first street, town or village (else the last county) is hidden; without any, all is.
    """
    text = address.strip()
    if not text:
        return ""
    found = re.match(r".*?(?:街道|大道|路|街|巷|镇|乡|村)(?=.|$)", text) or re.match(r".*[省市县区]", text)
    return f"{found[0]}**" if found else "**"
