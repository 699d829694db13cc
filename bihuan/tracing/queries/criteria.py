"""What the edition in force says of close contacts, as the rules read it."""

from __future__ import annotations

from datetime import datetime

from bihuan.policy.packs import in_force
from bihuan.policy.rules.pack import Value
from bihuan.tracing.rules.criteria import ContactPolicy, Quoted

_KEYS = ("kinds", "min_minutes", "distance_metres", "secondary", "aircraft_rows", "coach_rows_ventilated")


def contact_policy(territory_code: str, on: datetime) -> ContactPolicy:
    """The values of `contact.*` in force at a place on the local day of `on`, with who says so."""
    policy = in_force(territory_code, on)
    found = {key: policy.value(f"contact.{key}") for key in _KEYS}
    metres = found["distance_metres"].value
    return ContactPolicy(
        kinds=tuple(found["kinds"].value),
        min_minutes=int(found["min_minutes"].value),
        distance_metres=float(metres) if metres else None,
        aircraft_rows=int(found["aircraft_rows"].value),
        coach_rows=int(found["coach_rows_ventilated"].value),
        secondary=bool(found["secondary"].value),
        quoted={key: _quoted(value) for key, value in found.items()},
    )


def _quoted(value: Value) -> Quoted:
    """As the pack says it; a clause whose text nobody has read for this edition says so, wherever it goes."""
    source = value.source.get("zh") or value.source.get("en") or ""
    doubt = "" if value.confidence == "verified" else "（未核实）"
    clause = (value.clause or source or value.pack)[: 160 - len(doubt)] + doubt
    return Quoted(value.sentence("zh"), value.sentence("en"), clause, value.pack)
