"""Assistance requests (协查) between two sides: what may be shared for which need, and where a request
stands.

A request is a thread of messages. Each side numbers its own from 1. Where the thread stands is a function of
the set of messages, not of the order in which they came, so that two sides which hold the same messages
agree, however often and in whatever order these were delivered.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final


class Need(StrEnum):
    """What is asked for. One need a request."""

    LOCATE = "locate"
    PLACE = "place_under_observation"
    INTERVIEW = "interview"
    CONFIRM_TRACK = "confirm_track"
    SAMPLE = "sample"
    INFORM = "inform"
    SOURCE_QUERY = "source_query"


class Side(StrEnum):
    ASKING = "asking"
    ASKED = "asked"

    @property
    def other(self) -> Side:
        return Side.ASKED if self is Side.ASKING else Side.ASKING


class Said(StrEnum):
    """What a message says. `REQUEST` and `END` are the asking side's, the others the asked side's."""

    REQUEST = "request"
    END = "end"
    ACCEPT = "accept"
    RETURN = "return"
    ANSWER = "answer"
    DELETED = "deleted"


SPEAKER: Final[Mapping[Said, Side]] = {
    Said.REQUEST: Side.ASKING,
    Said.END: Side.ASKING,
    Said.ACCEPT: Side.ASKED,
    Said.RETURN: Side.ASKED,
    Said.ANSWER: Side.ASKED,
    Said.DELETED: Side.ASKED,
}


class Status(StrEnum):
    """Where a request stands, in this order. `DELETION_ASKED`: the need has ended, and the other side is to
    delete what it was told; `DELETED`: it has, and so have we."""

    DRAFT = "draft"
    SENT = "sent"
    RECEIVED = "received"
    ACCEPTED = "accepted"
    RETURNED = "returned"
    ANSWERED = "answered"
    DELETION_ASKED = "deletion_asked"
    DELETED = "deleted"


OPEN: Final = frozenset(
    {Status.SENT, Status.RECEIVED, Status.ACCEPTED, Status.RETURNED, Status.ANSWERED, Status.DELETION_ASKED}
)


class ReturnReason(StrEnum):
    """Why a request goes back: the person is not of this place, cannot be told from what was shared, or the
    place asked is none of this installation's."""

    WRONG_PLACE = "wrong_place"
    UNKNOWN_PERSON = "unknown_person"
    NOT_SERVED = "not_served"
    OTHER = "other"


class Outcome(StrEnum):
    """What an answer says. Whether it ends the wait is said beside it (`final`)."""

    FOUND = "found"
    NOT_FOUND = "not_found"
    PLACED = "placed"
    INTERVIEWED = "interviewed"
    TRACK_CONFIRMED = "track_confirmed"
    TRACK_DENIED = "track_denied"
    POSITIVE = "positive"
    NEGATIVE = "negative"
    SAMPLED = "sampled"
    INFORMED = "informed"
    SOURCE_LIKELY = "source_likely"
    SOURCE_UNLIKELY = "source_unlikely"
    OTHER = "other"


#: The outcomes offered for each need, the usual one first. "Found" and "not found" are offered for all.
OUTCOMES: Final[Mapping[Need, tuple[Outcome, ...]]] = {
    Need.LOCATE: (Outcome.FOUND, Outcome.PLACED, Outcome.NOT_FOUND, Outcome.OTHER),
    Need.PLACE: (Outcome.PLACED, Outcome.FOUND, Outcome.NOT_FOUND, Outcome.OTHER),
    Need.INTERVIEW: (Outcome.INTERVIEWED, Outcome.FOUND, Outcome.NOT_FOUND, Outcome.OTHER),
    Need.CONFIRM_TRACK: (Outcome.TRACK_CONFIRMED, Outcome.TRACK_DENIED, Outcome.NOT_FOUND, Outcome.OTHER),
    Need.SAMPLE: (
        Outcome.NEGATIVE,
        Outcome.POSITIVE,
        Outcome.SAMPLED,
        Outcome.FOUND,
        Outcome.NOT_FOUND,
        Outcome.OTHER,
    ),
    Need.INFORM: (Outcome.INFORMED, Outcome.FOUND, Outcome.NOT_FOUND, Outcome.OTHER),
    Need.SOURCE_QUERY: (
        Outcome.SOURCE_LIKELY,
        Outcome.SOURCE_UNLIKELY,
        Outcome.NOT_FOUND,
        Outcome.OTHER,
    ),
}

#: Answers that leave the need open, so that more is to come: found, but not yet placed; sampled, no result
#: yet.
_INTERIM: Final[Mapping[Need, frozenset[Outcome]]] = {
    Need.PLACE: frozenset({Outcome.FOUND}),
    Need.INTERVIEW: frozenset({Outcome.FOUND}),
    Need.SAMPLE: frozenset({Outcome.FOUND, Outcome.SAMPLED}),
    Need.INFORM: frozenset({Outcome.FOUND}),
}


def is_final(need: Need, outcome: Outcome) -> bool:
    """Whether an answer of this kind ends the wait."""
    return outcome not in _INTERIM.get(need, frozenset())


# --- least data ---------------------------------------------------------------------------------------

IDENTITY, LOCATION, HEALTH = "identity", "location", "health"

#: Every field that may cross a border, and its class. Nothing else can be shared.
FIELD_CLASS: Final[Mapping[str, str]] = {
    "name": IDENTITY,
    "sex": IDENTITY,
    "age_years": IDENTITY,
    "phone": IDENTITY,
    "id_number": IDENTITY,
    "address": LOCATION,
    "exposure_kind": HEALTH,
    "exposure_last": HEALTH,
    "setting": HEALTH,
    "case_onset": HEALTH,
}
#: The fields a need cannot do without or is much slower without: shared unless taken away.
USUAL: Final[Mapping[Need, tuple[str, ...]]] = {
    Need.LOCATE: ("name", "sex", "age_years", "phone", "address"),
    Need.PLACE: ("name", "sex", "age_years", "phone", "address", "exposure_kind", "exposure_last"),
    Need.INTERVIEW: ("name", "sex", "phone"),
    Need.CONFIRM_TRACK: ("name", "phone"),
    Need.SAMPLE: ("name", "sex", "age_years", "phone", "address", "exposure_last"),
    Need.INFORM: ("name", "phone"),
    Need.SOURCE_QUERY: ("name", "phone", "case_onset"),
}
#: The fields that may be added when the usual ones are not enough.
FURTHER: Final[Mapping[Need, tuple[str, ...]]] = {
    Need.LOCATE: ("id_number", "exposure_last"),
    Need.PLACE: ("id_number", "setting"),
    Need.INTERVIEW: ("address", "exposure_last", "setting"),
    Need.CONFIRM_TRACK: ("id_number",),
    Need.SAMPLE: ("id_number", "exposure_kind"),
    Need.INFORM: ("address",),
    Need.SOURCE_QUERY: ("exposure_last", "setting"),
}
#: Fields that tell who somebody is. Where the asking side may not know that, none of them is shared by it.
OF_PERSON: Final = frozenset({"name", "sex", "age_years", "phone", "id_number", "address"})


def allowed_fields(need: Need, *, is_keyed: bool = False) -> tuple[str, ...]:
    """The fields that may be shared for a need, in the order of a form. `is_keyed`: the asking side holds no
    more than a number, so only what it knows of the exposure."""
    names = (*USUAL[need], *FURTHER[need])
    return tuple(name for name in names if not (is_keyed and name in OF_PERSON))


def usual_fields(need: Need, *, is_keyed: bool = False) -> tuple[str, ...]:
    return tuple(name for name in USUAL[need] if not (is_keyed and name in OF_PERSON))


def excess_fields(need: Need, wanted: Iterable[str], *, is_keyed: bool = False) -> list[str]:
    """The wanted fields that this need does not justify; [] when all may be shared."""
    allowed = allowed_fields(need, is_keyed=is_keyed)
    return [name for name in wanted if name not in allowed]


# --- where it stands ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Message:
    """One message as the rules see it. `data` holds words of this file and dates, no personal data."""

    said: Said
    sequence: int
    data: Mapping[str, Any] = field(default_factory=dict)

    @property
    def side(self) -> Side:
        return SPEAKER[self.said]


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a thread stands. `outcome` is the newest answer's; `is_answered` that a final one came. Sent back
    with no reason in `returned`: the other side has deleted what it was told, and never answered."""

    status: Status
    outcome: str = ""
    returned: str = ""
    is_answered: bool = False

    @property
    def is_over(self) -> bool:
        return self.status in (Status.DELETION_ASKED, Status.DELETED)


def stand(messages: Iterable[Message], *, is_received: bool) -> Standing:
    """Where a thread stands. `is_received`: the other side has given its receipt for the request (or this is
    the other side). Does not depend on the order of `messages`, nor on how often one is there."""
    found = {(m.side, m.sequence): m for m in messages}.values()
    said = {m.said for m in found}
    answers = sorted((m for m in found if m.said is Said.ANSWER), key=lambda m: m.sequence)
    returns = sorted((m for m in found if m.said is Said.RETURN), key=lambda m: m.sequence)
    is_answered = any(m.data.get("final") for m in answers)
    return Standing(
        status=_status(said, is_received=is_received, is_answered=is_answered),
        outcome=str(answers[-1].data.get("outcome", "")) if answers else "",
        returned=str(returns[-1].data.get("reason", "")) if returns else "",
        is_answered=is_answered,
    )


def _status(said: set[Said], *, is_received: bool, is_answered: bool) -> Status:
    if Said.DELETED in said and (is_answered or said & {Said.END, Said.RETURN}):
        return Status.DELETED
    if Said.END in said:
        return Status.DELETION_ASKED
    if is_answered:
        return Status.ANSWERED
    if said & {Said.RETURN, Said.DELETED}:  # deleted without an answer: it has gone back, without a reason
        return Status.RETURNED
    if Said.ACCEPT in said or Said.ANSWER in said:
        return Status.ACCEPTED
    if Said.REQUEST in said:
        return Status.RECEIVED if is_received else Status.SENT
    return Status.DRAFT


#: The other installation's words for a request that is not there: to be said again; or not to be taken up.
UNKNOWN_THREAD: Final = "unknown-thread"
LOST_THERE: Final = frozenset({UNKNOWN_THREAD, "not-asked", "thread-taken"})
#: The asked side has closed a request that the other side has lost; what did not arrive waits no more.
SETTLED: Final = "settled"
#: Stands in the data of a request that was taken up again from the other side's copy.
TAKEN_UP: Final = "taken_up"

#: From where a side may say what. A message that came is never refused for this: it may be the order of
#: delivery.
_MAY_SAY: Final[Mapping[Said, frozenset[Status]]] = {
    Said.REQUEST: frozenset({Status.DRAFT}),
    Said.END: frozenset({Status.SENT, Status.RECEIVED, Status.ACCEPTED, Status.RETURNED, Status.ANSWERED}),
    Said.ACCEPT: frozenset({Status.RECEIVED}),
    Said.RETURN: frozenset({Status.RECEIVED, Status.ACCEPTED}),
    Said.ANSWER: frozenset({Status.ACCEPTED, Status.ANSWERED}),
    Said.DELETED: frozenset({Status.RETURNED, Status.ANSWERED, Status.DELETION_ASKED}),
}


def may_say(said: Said, *, status: Status, side: Side) -> bool:
    """Whether a side may say this now: it is for this side to say, and the thread stands where it makes
    sense."""
    return SPEAKER[said] is side and status in _MAY_SAY[said]


def is_taken_over(messages: Iterable[Message]) -> bool:
    """Whether the asked side has the person as its own: it accepted and named her a close contact there, and
    has neither sent the request back since nor answered, as the newest, that she is not to be found.

    It accepts a second time only when it lost the first, so the newest acceptance counts. Who has deleted
    what it was told without ever answering has nobody."""
    found = list(messages)
    accepts = sorted((m for m in found if m.said is Said.ACCEPT), key=lambda m: m.sequence)
    took = bool(accepts) and accepts[-1].data.get("confirmed") is True
    standing = stand(found, is_received=True)
    gave_up = standing.outcome == Outcome.NOT_FOUND
    gone_back = standing.status is Status.RETURNED or any(m.said is Said.RETURN for m in found)
    return took and not gave_up and not gone_back


def next_sequence(messages: Iterable[Message], side: Side) -> int:
    """The number of this side's next message."""
    return 1 + max((m.sequence for m in messages if m.side is side), default=0)
