"""The verbs of care: order and end observation, check daily, test, release, convert, follow up, hear
appeals.
"""

from bihuan.care.actions.appeals import decide_appeal, file_appeal, withdraw_appeal
from bihuan.care.actions.checks import (
    CheckInput,
    record_contact_test,
    record_daily_check,
    record_daily_checks,
    record_not_a_case,
    record_referral,
)
from bihuan.care.actions.convert import (
    convert_contact_to_case,
    exclude_case,
    release_contacts_of_excluded,
)
from bihuan.care.actions.follow_up import record_follow_up
from bihuan.care.actions.lost import record_all_lost, record_lost
from bihuan.care.actions.move import record_moved
from bihuan.care.actions.orders import (
    OrderInput,
    extend_observation,
    order_observation,
    order_observations,
    record_placed,
)
from bihuan.care.actions.release import ReleaseInput, decide_release, release_contact, release_contacts
from bihuan.care.actions.sweep import CareSweep, sweep, sweep_care
from bihuan.care.actions.take_back import take_back
from bihuan.care.actions.withdraw import withdraw_exposure

__all__ = [
    "CareSweep",
    "CheckInput",
    "OrderInput",
    "ReleaseInput",
    "convert_contact_to_case",
    "decide_appeal",
    "decide_release",
    "exclude_case",
    "extend_observation",
    "file_appeal",
    "order_observation",
    "order_observations",
    "record_all_lost",
    "record_contact_test",
    "record_daily_check",
    "record_daily_checks",
    "record_follow_up",
    "record_lost",
    "record_moved",
    "record_not_a_case",
    "record_placed",
    "record_referral",
    "release_contact",
    "release_contacts",
    "release_contacts_of_excluded",
    "sweep",
    "sweep_care",
    "take_back",
    "withdraw_appeal",
    "withdraw_exposure",
]
