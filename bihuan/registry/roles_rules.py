"""What a roles file may say. No Django."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

RIGHTS = (
    "case.view", "case.write", "contact.view", "contact.write", "person.view", "person.merge",
    "duty.view", "duty.do", "duty.bulk", "duty.waive", "loop.view", "board.view",
    "order.view", "order.decide", "import.run", "export.run", "policy.view", "territory.view",
    "investigation.view", "investigation.write", "visits.look", "visits.record", "place.write",
    "assistance.view", "assistance.write",
    "account.admin", "token.create", "audit.view", "glass.break", "appeal.file", "appeal.decide",
)  # fmt: skip
FIELD_CLASSES = ("operational", "health", "location", "identity")
RELATIONS = ("below", "assigned")
_ALL = "all"


@dataclass(frozen=True, slots=True)
class Granted:
    """One cell of a role: a right, on a field class, in a relation of territories ("below" or "assigned")."""

    right: str
    field_class: str
    relation: str


@dataclass(frozen=True, slots=True)
class RoleDefinition:
    key: str
    label: dict[str, str]
    second_factor: bool
    grants: frozenset[Granted]


class RolesFileError(ValueError):
    """A roles file says what no role can say; the text names file, role, key and what is allowed."""


def parse_roles(data: Any, *, file: str) -> dict[str, RoleDefinition]:
    """Return the roles of a parsed YAML file by key. Raises RolesFileError."""
    roles = data.get("roles") if isinstance(data, Mapping) else None
    if not isinstance(roles, Mapping) or not roles:
        raise RolesFileError(f"{file}: there is no `roles:` with a role in it.")
    return {key: _role(key, body, file=file) for key, body in roles.items()}


def _role(key: str, body: Any, *, file: str) -> RoleDefinition:
    where = f"{file}: role {key}"
    if not isinstance(body, Mapping):
        raise RolesFileError(f"{where}: must hold `label` and `grants`.")
    label = body.get("label")
    if not isinstance(label, Mapping) or not {"zh", "en"} <= set(label):
        raise RolesFileError(f"{where}: `label` must give the name in zh and in en.")
    grants = {cell for entry in body.get("grants") or () for cell in _cells(entry, where=where)}
    if not grants:
        raise RolesFileError(f"{where}: a role without `grants` can do nothing.")
    return RoleDefinition(key, dict(label), bool(body.get("second_factor", False)), frozenset(grants))


def _cells(entry: Any, *, where: str) -> list[Granted]:
    if not isinstance(entry, Mapping):
        raise RolesFileError(f"{where}: each of `grants` must hold rights, fields and relation.")
    fields = entry.get("fields")
    fields = FIELD_CLASSES if fields == _ALL else fields or ()
    relation = entry.get("relation")
    for value, allowed, name in (
        *((right, RIGHTS, "right") for right in entry.get("rights") or ()),
        *((field, FIELD_CLASSES, "field class") for field in fields),
        (relation, RELATIONS, "relation"),
    ):
        if value not in allowed:
            near = get_close_matches(str(value), allowed, 1, 0.0)
            raise RolesFileError(
                f"{where}: there is no {name} {value!r}; nearest: {near[0] if near else allowed[0]}. "
                f"Allowed: {', '.join(allowed)}."
            )
    return [Granted(right, field, str(relation)) for right in entry["rights"] for field in fields]
