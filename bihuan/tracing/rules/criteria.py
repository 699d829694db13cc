"""By which criterion somebody counts as a close contact, and what the edition in force says of it. No Django.

The criteria are the kinds of `contact.kinds` (protocols.md section 3). `suggest_criterion` proposes; a person
chooses, and may choose against it with a reason. Presence at one place never proves nearness, so most answers
are "to be judged". Sentences come in both languages, like those of the policy packs they quote.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from bihuan.tracing.rules.seats import Seat, Vehicle, sits_near
from bihuan.tracing.rules.settings import TRANSPORT, SettingKind
from bihuan.tracing.rules.words import ExposureKind


class Criterion(StrEnum):
    """The kinds of close contact, as packs name them (key `contact.kinds`), and the contact of a contact."""

    HOUSEHOLD = "household"
    CARE = "care"
    AEROSOL = "aerosol"
    WORKPLACE = "workplace"
    CLASS = "class"
    CANTEEN = "canteen"
    LIFT = "lift"
    DINING = "dining"
    HOSPITAL_VISIT = "hospital_visit"
    TRANSPORT = "transport"
    ENVIRONMENT = "environment"
    PHYSICAL = "physical"
    FACE_TO_FACE = "face_to_face"
    OTHER = "other"
    SECONDARY = "secondary"


class Counts(StrEnum):
    """What the edition says: it counts, it does not, or a person has to judge."""

    YES = "yes"
    NO = "no"
    JUDGE = "judge"


#: The kind of exposure that stands in the contact record.
EXPOSURE_OF: Final[Mapping[Criterion, ExposureKind]] = {
    Criterion.HOUSEHOLD: ExposureKind.HOUSEHOLD,
    Criterion.CARE: ExposureKind.CARE,
    Criterion.AEROSOL: ExposureKind.CARE,
    Criterion.WORKPLACE: ExposureKind.WORK_OR_SCHOOL,
    Criterion.CLASS: ExposureKind.WORK_OR_SCHOOL,
    Criterion.CANTEEN: ExposureKind.MEAL_OR_GATHERING,
    Criterion.LIFT: ExposureKind.OTHER,
    Criterion.DINING: ExposureKind.MEAL_OR_GATHERING,
    Criterion.HOSPITAL_VISIT: ExposureKind.HOSPITAL_VISIT,
    Criterion.TRANSPORT: ExposureKind.TRANSPORT,
    Criterion.ENVIRONMENT: ExposureKind.ENVIRONMENT,
    Criterion.PHYSICAL: ExposureKind.OTHER,
    Criterion.FACE_TO_FACE: ExposureKind.OTHER,
    Criterion.OTHER: ExposureKind.OTHER,
    Criterion.SECONDARY: ExposureKind.OTHER,
}

#: The kinds that come to mind for a setting, the likeliest first.
_OF_SETTING: Final[Mapping[SettingKind, tuple[Criterion, ...]]] = {
    SettingKind.HOME: (Criterion.HOUSEHOLD,),
    SettingKind.RESTAURANT: (Criterion.DINING,),
    SettingKind.ENTERTAINMENT: (Criterion.DINING,),
    SettingKind.GATHERING: (Criterion.DINING,),
    SettingKind.WORSHIP: (Criterion.DINING,),
    SettingKind.WORKPLACE: (Criterion.WORKPLACE, Criterion.CANTEEN, Criterion.LIFT),
    SettingKind.PRISON: (Criterion.WORKPLACE,),
    SettingKind.SCHOOL: (Criterion.CLASS, Criterion.CANTEEN),
    SettingKind.CLINIC: (Criterion.CARE, Criterion.HOSPITAL_VISIT, Criterion.AEROSOL),
    SettingKind.HOSPITAL: (Criterion.HOSPITAL_VISIT, Criterion.CARE, Criterion.AEROSOL),
    SettingKind.CARE_HOME: (Criterion.CARE, Criterion.HOUSEHOLD),
    SettingKind.HOTEL: (Criterion.LIFT, Criterion.CANTEEN),
}
#: Kinds to which a least time does not apply where an edition names one: living together, touch, care.
_WITHOUT_MINUTES: Final = frozenset(
    {Criterion.HOUSEHOLD, Criterion.PHYSICAL, Criterion.CARE, Criterion.AEROSOL, Criterion.ENVIRONMENT}
)


@dataclass(frozen=True, slots=True)
class Quoted:
    """Where a value of the pack comes from: its words in both languages, and clause or source."""

    zh: str = ""
    en: str = ""
    clause: str = ""
    pack: str = ""


@dataclass(frozen=True, slots=True)
class ContactPolicy:
    """The values in force: kinds that count, least minutes (0 = judged), metres (None = not said), rows of
    aircraft and ventilated coach, contacts of contacts. `quoted`: by key without `contact.`."""

    kinds: tuple[str, ...]
    min_minutes: int
    distance_metres: float | None
    aircraft_rows: int
    coach_rows: int
    secondary: bool
    quoted: Mapping[str, Quoted] = field(default_factory=dict)

    def quote(self, key: str) -> Quoted:
        return self.quoted.get(key, Quoted())


@dataclass(frozen=True, slots=True)
class ContactFacts:
    """What is known of a presence. `minutes` together in all; `same_home` = registered in one household;
    `vehicle` with both seats where it moved."""

    setting: SettingKind = SettingKind.UNKNOWN
    minutes: int = 0
    order: int = 1
    same_home: bool = False
    vehicle: Vehicle | None = None
    case_seat: Seat | None = None
    seat: Seat | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """A criterion that may apply, whether it counts in the edition in force, and why."""

    criterion: Criterion
    counts: Counts
    zh: str
    en: str
    clause: str = ""
    pack: str = ""


def suggest_criterion(facts: ContactFacts, policy: ContactPolicy) -> list[Candidate]:
    """Criteria that may apply, the best first: those that count, then those to be judged, then those that do
    not. Never empty: the investigator's own judgement ("other") is always among them."""
    if facts.order > 1:
        return [_secondary(policy)]
    wanted = dict.fromkeys(_kinds_of(facts, policy))
    found = [_judged(kind, facts, policy) for kind in wanted]
    rank = {Counts.YES: 0, Counts.JUDGE: 1, Counts.NO: 2}
    return sorted(found, key=lambda candidate: rank[candidate.counts])


def counted_kinds(policy: ContactPolicy) -> tuple[Criterion, ...]:
    """The criteria a person may choose from, in the order of the pack."""
    known = {kind.value: kind for kind in Criterion}
    chosen = tuple(known[name] for name in policy.kinds if name in known)
    return (*chosen, Criterion.SECONDARY) if policy.secondary else chosen


def _kinds_of(facts: ContactFacts, policy: ContactPolicy) -> list[Criterion]:
    kinds = [Criterion.HOUSEHOLD] if facts.same_home else []
    if facts.setting in TRANSPORT or facts.vehicle is not None:
        kinds.append(Criterion.TRANSPORT)
    kinds += _OF_SETTING.get(facts.setting, ())
    kinds += [k for k in (Criterion.FACE_TO_FACE, Criterion.PHYSICAL) if k.value in policy.kinds]
    return [*kinds, Criterion.OTHER]


def _judged(kind: Criterion, facts: ContactFacts, policy: ContactPolicy) -> Candidate:
    quote = policy.quote("kinds")
    if kind.value not in policy.kinds:
        return Candidate(
            kind, Counts.NO, "本方案的密接类型不含此类。", "This edition does not count this kind.",
            quote.clause, quote.pack,
        )  # fmt: skip
    if kind is Criterion.TRANSPORT:
        return _on_board(facts, policy)
    if policy.min_minutes and kind not in _WITHOUT_MINUTES:
        return _timed(kind, facts, policy)
    if kind is Criterion.HOUSEHOLD and facts.same_home:
        return Candidate(
            kind, Counts.YES, "登记在同一户。", "Registered in the same household.", quote.clause, quote.pack
        )
    return Candidate(
        kind, Counts.JUDGE, *_presence(facts, policy), policy.quote("min_minutes").clause, quote.pack
    )


def _timed(kind: Criterion, facts: ContactFacts, policy: ContactPolicy) -> Candidate:
    quote, least = policy.quote("min_minutes"), policy.min_minutes
    if facts.minutes < least:
        zh = f"共处 {facts.minutes} 分钟，少于 {least} 分钟。"
        en = f"{_minutes(facts)} together, fewer than {least}."
        return Candidate(kind, Counts.NO, zh, en, quote.clause, quote.pack)
    near_zh, near_en = _near(policy)
    zh = f"共处 {facts.minutes} 分钟，达到 {least} 分钟{near_zh}。"
    en = f"{_minutes(facts)} together, at least {least}{near_en}."
    return Candidate(kind, Counts.JUDGE, zh, en, quote.clause, quote.pack)


def _minutes(facts: ContactFacts) -> str:
    return f"{facts.minutes} minute{'' if facts.minutes == 1 else 's'}"


def _near(policy: ContactPolicy) -> tuple[str, str]:
    if policy.distance_metres is None:
        return "；是否近距离由流调人员判定", "; the investigator judges how near"
    metres = f"{policy.distance_metres:g}"
    return f"；是否在 {metres} 米以内由流调人员判定", f"; the investigator judges whether within {metres} m"


def _presence(facts: ContactFacts, policy: ContactPolicy) -> tuple[str, str]:
    near_zh, near_en = _near(policy)
    if facts.minutes:
        return (
            f"同一场所共处 {facts.minutes} 分钟{near_zh}。",
            f"{_minutes(facts)} at one place{near_en}.",
        )
    return f"同一场所，时长未知{near_zh}。", f"At one place, for how long is not known{near_en}."


def _on_board(facts: ContactFacts, policy: ContactPolicy) -> Candidate:
    key = {"aircraft": "aircraft_rows", "coach": "coach_rows_ventilated"}.get(facts.setting.value, "kinds")
    quote = policy.quote(key)
    if facts.vehicle is None or facts.case_seat is None or facts.seat is None:
        return Candidate(
            Criterion.TRANSPORT, Counts.JUDGE,
            "同乘一交通工具，座位未知：请录入座位或旅客名单。",
            "In one vehicle, seats not known: enter the seats, or the passenger list.",
            quote.clause, quote.pack,
        )  # fmt: skip
    near = sits_near(
        facts.vehicle,
        facts.case_seat,
        facts.seat,
        aircraft_rows=policy.aircraft_rows,
        coach_rows=policy.coach_rows,
    )
    counts = Counts.JUDGE if near.counts is None else Counts.YES if near.counts else Counts.NO
    return Candidate(Criterion.TRANSPORT, counts, near.zh, near.en, quote.clause, quote.pack)


def _secondary(policy: ContactPolicy) -> Candidate:
    quote = policy.quote("secondary")
    if not policy.secondary:
        return Candidate(
            Criterion.SECONDARY, Counts.NO,
            quote.zh or "本方案不判定密接的密接。",
            quote.en or "This edition does not identify contacts of contacts.",
            quote.clause, quote.pack,
        )  # fmt: skip
    return Candidate(
        Criterion.SECONDARY, Counts.JUDGE,
        quote.zh or "判定密接的密接（次密接）。", quote.en or "Contacts of close contacts are identified.",
        quote.clause, quote.pack,
    )  # fmt: skip
