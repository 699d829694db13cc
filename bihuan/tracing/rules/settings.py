"""Kinds of places: the setting of an exposure, of a cluster, of a gate. Values are stored."""

from __future__ import annotations

from enum import StrEnum


class SettingKind(StrEnum):
    """Where people meet. The order is the one lists are shown in."""

    HOME = "home"
    SHOP = "shop"
    MARKET = "market"
    RESTAURANT = "restaurant"
    WORKPLACE = "workplace"
    SCHOOL = "school"
    CLINIC = "clinic"
    HOSPITAL = "hospital"
    CARE_HOME = "care_home"
    PRISON = "prison"
    WORSHIP = "worship"
    ENTERTAINMENT = "entertainment"
    GATHERING = "gathering"
    HOTEL = "hotel"
    STATION = "station"
    TRAIN = "train"
    AIRCRAFT = "aircraft"
    COACH = "coach"
    SHIP = "ship"
    VEHICLE = "vehicle"
    COMMUNITY_GATE = "community_gate"
    OUTDOORS = "outdoors"
    OTHER = "other"
    UNKNOWN = "unknown"


#: Settings that move: their exposure is judged by seats, rows and carriages (protocols.md section 3).
TRANSPORT = frozenset(
    {SettingKind.TRAIN, SettingKind.AIRCRAFT, SettingKind.COACH, SettingKind.SHIP, SettingKind.VEHICLE}
)
