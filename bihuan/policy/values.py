"""`value(key, territory, on)`: one number, and who says so."""

from __future__ import annotations

import datetime as dt

from bihuan.policy.packs import in_force
from bihuan.policy.rules.pack import Value

__all__ = ["Value", "value"]


def value(key: str, territory: str, on: dt.date | dt.datetime) -> Value:
    """Return the value of `key` in force in `territory` on a local day, with the layer and clause that gave
    it.

    Raises UnknownPolicyKey, which names the nearest keys.
    """
    return in_force(territory, on).value(key)
