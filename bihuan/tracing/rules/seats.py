"""Who sat near a case: the transport rows of the close-contact guidelines (protocols.md section 3, s41). No
Django.

Aircraft: the row, so many rows in front and behind, and the crew of that area. Train: sealed, everybody in
the carriage (of a soft sleeper: in the compartment) and its crew; unsealed, the bay and the two bays next to
it, or the compartment. Coach: sealed, everybody; ventilated, so many rows in front and behind, driver and
crew. Ship: the cabin and its service staff. Car: everybody.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class VehicleKind(StrEnum):
    AIRCRAFT = "aircraft"
    TRAIN = "train"
    COACH = "coach"
    SHIP = "ship"
    VEHICLE = "vehicle"


@dataclass(frozen=True, slots=True)
class Vehicle:
    """What moved. `sealed`: air-conditioned without open windows; None = not known. `name` as on the ticket
    (G1234, CZ3367)."""

    kind: VehicleKind
    sealed: bool | None = None
    name: str = ""


@dataclass(frozen=True, slots=True)
class Seat:
    """Where somebody sat. `carriage` is the carriage, deck or area ("" = not known); `row` the row of an
    aircraft or coach, the bay of a carriage; `room` the compartment or cabin."""

    carriage: str = ""
    row: int | None = None
    room: str = ""
    seat: str = ""
    crew: bool = False


@dataclass(frozen=True, slots=True)
class Near:
    """Whether a seat counts (None = to be judged), and why."""

    counts: bool | None
    zh: str
    en: str


#: Bays of an unsealed carriage that count beside the case's own: the next one on either side (s41).
NEXT_BAYS: Final = 1


def sits_near(vehicle: Vehicle, case: Seat, other: Seat, *, aircraft_rows: int, coach_rows: int) -> Near:
    """Whether `other` counts as near `case` in this vehicle. Does not depend on who of the two is the case,
    unless one of them is crew."""
    match vehicle.kind:
        case VehicleKind.AIRCRAFT:
            return _aircraft(case, other, aircraft_rows)
        case VehicleKind.TRAIN:
            return _train(vehicle, case, other)
        case VehicleKind.COACH:
            return _coach(vehicle, case, other, coach_rows)
        case VehicleKind.SHIP:
            return _ship(case, other)
        case VehicleKind.VEHICLE:
            return Near(True, "同乘一车。", "In the same car.")


def _aircraft(case: Seat, other: Seat, rows: int) -> Near:
    if other.crew:
        if _apart(case.carriage, other.carriage):
            return Near(False, "其他区域的机组。", "Crew of another area.")
        return Near(True, "该区域机组。", "Crew of that area.")
    return _within(case, other, rows)


def _train(vehicle: Vehicle, case: Seat, other: Seat) -> Near:
    if _apart(case.carriage, other.carriage):
        return Near(False, "不在同一车厢。", "In another carriage.")
    if not _same(case.carriage, other.carriage):
        return Near(None, "车厢未知。", "The carriage is not known.")
    if other.crew:
        return Near(True, "该车厢乘务人员。", "Crew of the carriage.")
    if case.room:
        return _room(case, other)
    if vehicle.sealed is None:
        return Near(None, "车厢是否密闭未知。", "Whether the carriage was sealed is not known.")
    if vehicle.sealed:
        return Near(True, "密闭空调列车同一车厢。", "The same carriage of a sealed train.")
    if case.row is None or other.row is None:
        return Near(None, "同车厢，间隔未知。", "In the same carriage; the bay is not known.")
    apart = abs(case.row - other.row)
    if apart <= NEXT_BAYS:
        return Near(
            True,
            "同一间隔。" if apart == 0 else "相邻间隔。",
            "In the same bay." if apart == 0 else "In a bay next to it.",
        )
    return Near(False, f"相隔 {apart} 个间隔。", f"{apart} bays away.")


def _coach(vehicle: Vehicle, case: Seat, other: Seat, rows: int) -> Near:
    if other.crew:
        return Near(True, "司乘人员。", "Driver or crew.")
    if vehicle.sealed is None:
        return Near(None, "客车是否密闭未知。", "Whether the coach was sealed is not known.")
    if vehicle.sealed:
        return Near(True, "密闭空调客车全体。", "Everybody in a sealed coach.")
    return _within(case, other, rows)


def _ship(case: Seat, other: Seat) -> Near:
    if other.crew and (_same(case.room, other.room) or not other.room):
        return Near(
            True if other.room else None,
            "该舱室服务人员。" if other.room else "服务舱室未知的乘务人员。",
            "Service staff of the cabin." if other.room else "Staff; which cabin is not known.",
        )
    return _room(case, other)


def _room(case: Seat, other: Seat) -> Near:
    if _same(case.room, other.room):
        return Near(True, "同一包厢（舱室）。", "In the same compartment or cabin.")
    if _apart(case.room, other.room):
        return Near(False, "不在同一包厢（舱室）。", "In another compartment or cabin.")
    return Near(None, "包厢（舱室）未知。", "The compartment or cabin is not known.")


def _within(case: Seat, other: Seat, rows: int) -> Near:
    if case.row is None or other.row is None:
        return Near(None, "排号未知。", "The row is not known.")
    apart = abs(case.row - other.row)
    if apart == 0:
        return Near(True, "同一排。", "In the same row.")
    if apart <= rows:
        return Near(
            True, f"相隔 {apart} 排，在前后 {rows} 排以内。", f"{apart} rows away, within {rows} rows."
        )
    return Near(False, f"相隔 {apart} 排，超出前后 {rows} 排。", f"{apart} rows away, beyond {rows} rows.")


def _folded(text: str) -> str:
    return text.strip().casefold().lstrip("0")


def _same(a: str, b: str) -> bool:
    return bool(_folded(a)) and _folded(a) == _folded(b)


def _apart(a: str, b: str) -> bool:
    return bool(_folded(a)) and bool(_folded(b)) and _folded(a) != _folded(b)


# --- passenger lists ------------------------------------------------------------------------------------


#: What a column of a passenger list is called.
COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "name": ("name", "person", "passenger", "姓名", "旅客", "旅客姓名"),
    "id_number": ("id_number", "identity", "document", "身份证", "身份证号", "证件号", "证件号码"),
    "phone": ("phone", "mobile", "电话", "手机", "手机号", "联系电话"),
    "carriage": ("carriage", "coach", "car", "area", "deck", "车厢", "车厢号", "区域"),
    "row": ("row", "bay", "排", "排号", "间隔"),
    "room": ("room", "cabin", "compartment", "包厢", "舱室", "舱号"),
    "seat": ("seat", "座位", "座位号", "座号", "席位"),
    "role": ("role", "duty", "身份", "岗位", "角色"),
    "territory": ("territory", "territory_code", "residence", "居住地代码", "区划代码"),
    "address": ("address", "住址", "地址", "现住址"),
}
_CREW: Final = frozenset(
    {"crew", "driver", "staff", "attendant", "机组", "乘务", "乘务员", "司机", "司乘", "服务人员"}
)
_ROW = re.compile(r"\d+")


@dataclass(frozen=True, slots=True, repr=False)
class Passenger:
    """One line of a passenger list. Its repr shows no personal data."""

    line: int
    seat: Seat
    name: str = ""
    id_number: str = ""
    phone: str = ""
    territory: str = ""
    address: str = ""

    def __repr__(self) -> str:
        return f"Passenger(line={self.line})"


def read_columns(headers: Iterable[str]) -> dict[str, int]:
    """Which column holds what, by the names above."""
    folded = {header.strip().casefold(): at for at, header in reversed(list(enumerate(headers)))}
    return {
        role: folded[name] for role, names in COLUMNS.items() if (name := _first(names, folded)) is not None
    }


def _first(names: Iterable[str], folded: Mapping[str, int]) -> str | None:
    return next((name for name in names if name in folded), None)


def read_passenger(line: int, cells: list[str], columns: Mapping[str, int]) -> Passenger:
    """One line. The row is taken from the seat ("12A") where no column tells it."""

    def cell(role: str) -> str:
        at = columns.get(role)
        return cells[at].strip() if at is not None and at < len(cells) else ""

    told = cell("row") or cell("seat")
    number = _ROW.search(told)
    seat = Seat(
        carriage=cell("carriage"),
        row=int(number.group()) if number else None,
        room=cell("room"),
        seat=cell("seat"),
        crew=cell("role").casefold() in _CREW,
    )
    return Passenger(
        line, seat, cell("name"), cell("id_number"), cell("phone"), cell("territory"), cell("address")
    )
