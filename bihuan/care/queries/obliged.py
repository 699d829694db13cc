"""Until when an exposure obliges somebody to be observed, order or not."""

from __future__ import annotations

from datetime import date

from bihuan.care.rules import last_day
from bihuan.policy.packs import in_force


def obliged_until(last_exposure: date | None, named: date, territory_code: str) -> date:
    """The last day an order would have under the policy in force on the day the contact was `named`.

    Counts from the last exposure, or from the day before being named where the exposure date is unknown.
    """
    policy = in_force(territory_code, named)
    days = int(policy.value("observation.days").value)
    if last_exposure is not None and policy.value("observation.count_from").value == "last_exposure":
        return last_day(last_exposure, days)
    return last_day(named, days - 1)
