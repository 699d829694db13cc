"""What pages show, as frozen records: views fill them from queries, templates only lay them out.

Times are aware instants. `state` is one of late, soon, later, done; `name` is already masked for the reader.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from bihuan.doors.web.drawing import RingStage


@dataclass(frozen=True, slots=True)
class DutyCard:
    """One owed step as its owner sees it: about whom, what, until when, why, and the way to do it."""

    id: int
    name: str
    href: str
    what: str
    due_at: datetime
    state: str
    why_href: str
    late_by: timedelta | None = None
    place: str = ""
    room: str = ""
    note: str = ""
    because: str = ""
    stages: Sequence[RingStage] = ()
    verb: str = ""
    action: str = ""
    quick: Any = None  # a bound or empty form of one field, shown in the card
    one_tap: bool = False
    missed_href: str = ""  # where to say that the person was not met
    owner: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """Duties of one building or place, the most urgent first."""

    name: str
    cards: Sequence[DutyCard]


@dataclass(frozen=True, slots=True)
class Today:
    """The head of "my duties": how the day stands."""

    done: int
    total: int
    late: int
    soon: int
    later: int


@dataclass(frozen=True, slots=True)
class StageRow:
    """A line of a ring's table on the board."""

    key: str
    label: str
    open: int
    soon: int
    late: int
    done: int
    href: str
    soon_href: str
    late_href: str
    done_href: str

    @property
    def in_time(self) -> int:
        return max(0, self.open - self.soon - self.late)

    def arc(self) -> RingStage:
        return RingStage(self.label, done=self.done, open=self.open, soon=self.soon, late=self.late)


@dataclass(frozen=True, slots=True)
class RingCard:
    """One ring of the board: people in it, its stages, and how much of what was owed is closed."""

    key: str
    label: str
    inside: int
    href: str
    stages: Sequence[StageRow]
    rate: float | None

    @property
    def arcs(self) -> list[RingStage]:
        return [stage.arc() for stage in self.stages]

    @property
    def widest(self) -> int:
        return max((stage.open for stage in self.stages), default=0)

    @property
    def late(self) -> int:
        return sum(stage.late for stage in self.stages)


@dataclass(frozen=True, slots=True)
class Tile:
    """One territory of the schematic map. `tone`: t0 to t3, soon or late. `list_href` leads to what the
    figure counts, `more_href` to what `more` counts; "" where a figure counts no duties."""

    code: str
    name: str
    value: str
    tone: str
    href: str
    x: int | None = None
    y: int | None = None
    more: str = ""
    list_href: str = ""
    more_href: str = ""


@dataclass(frozen=True, slots=True)
class GapTile:
    """One of the four gap lists: who should be and is not."""

    key: str
    label: str
    n: int
    href: str
    longest: timedelta | None = None

    @property
    def tone(self) -> str:
        return "done" if self.n == 0 else "late" if self.longest else "soon"


@dataclass(frozen=True, slots=True)
class Late:
    """A late duty, with everything the board must say about it."""

    what: str
    whom: str
    whom_href: str
    whose: str
    by: timedelta
    pack: str
    clause: str
    why_href: str
    climbed: str
    href: str
    place: str = ""


@dataclass(frozen=True, slots=True)
class Moment:
    """One point of a person's timeline. `tone`: fact, done, soon, late, quiet."""

    at: datetime
    precision: str
    title: str
    detail: str = ""
    tone: str = "fact"
    tag: str = ""
    recorded_at: datetime | None = None
    href: str = ""


@dataclass(frozen=True, slots=True)
class Why:
    """The one answer to "why", the same everywhere."""

    sentence: str
    rule: str = ""
    value: str = ""
    layer: str = ""
    source: str = ""
    clause: str = ""
    confidence: str = ""
    evidence: Sequence[tuple[str, str]] = ()
    until: datetime | None = None
    ends_earlier: str = ""
    appeal: str = ""
    appeal_href: str = ""
    owner: str = ""
    fallback: bool = False
    climbed: Sequence[tuple[datetime, str]] = ()
    more: Sequence[tuple[str, str]] = field(default_factory=tuple)
