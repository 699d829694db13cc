"""The board: how the loops of a territory stand at a moment."""

from datetime import datetime

from ninja import Query, Router, Schema

from bihuan.care.queries import rings_of
from bihuan.doors.api.operation import Call, operation
from bihuan.doors.api.reading import AsOf
from bihuan.doors.api.shapes import place
from bihuan.loops import queries
from bihuan.loops.queries import Counts
from bihuan.registry.text import label

router = Router()


class CountsOut(Schema):
    """Duties by how they stand; `due_soon` and `late` are part of `open`."""

    open: int
    due_soon: int
    late: int
    done: int
    waived: int
    superseded: int


class StageCounts(Schema):
    stage: str
    label: str
    counts: CountsOut


class LoopCounts(Schema):
    definition: str
    label: str
    group: str
    loops_open: int
    loops_closed: int
    counts: CountsOut
    stages: list[StageCounts]


class ChildCounts(Schema):
    code: str
    name: str
    loops_open: int
    counts: CountsOut


class RingCounts(Schema):
    """A ring of the board: `share_on_time` of what is owed or done; null when nothing is."""

    key: str
    label: str
    loops_open: int
    share_on_time: float | None
    counts: CountsOut
    arcs: list[StageCounts]


class ConservationOut(Schema):
    """`created` is counted when a duty comes into being; it must equal the sum of the others."""

    created: int
    open: int
    done: int
    waived: int
    superseded: int
    holds: bool


class BoardOut(Schema):
    territory_code: str
    as_of: datetime
    total: CountsOut
    rings: list[RingCounts]
    loops: list[LoopCounts]
    children: list[ChildCounts]
    conservation: ConservationOut


@operation(router, "GET", "/board", right="board.view", response=BoardOut)
def get_board(call: Call, territory: str = Query("", max_length=40), as_of: AsOf | None = None) -> BoardOut:
    """How the loops of a territory stand, by stage and by child territory

    Counts only. Without `territory`: the territory of the token's post.
    """
    found = queries.board(place(call, territory, "board.view"), as_of=as_of)
    law = found.conservation
    return BoardOut(
        territory_code=found.territory_code,
        as_of=found.as_of,
        total=_counts(found.total),
        rings=[
            RingCounts(
                key=ring.ring.key,
                label=label(ring.ring.label),
                loops_open=ring.loops_open,
                share_on_time=ring.share_on_time,
                counts=_counts(ring.counts),
                arcs=[
                    StageCounts(stage=a.stage.key, label=label(a.stage.label), counts=_counts(a.counts))
                    for a in ring.arcs
                ],
            )
            for ring in rings_of(found)
        ],
        loops=[
            LoopCounts(
                definition=one.definition,
                label=label(one.label),
                group=one.group,
                loops_open=one.loops_open,
                loops_closed=one.loops_closed,
                counts=_counts(one.counts),
                stages=[
                    StageCounts(stage=s.stage, label=label(s.label), counts=_counts(s.counts))
                    for s in one.stages
                ],
            )
            for one in found.loops
        ],
        children=[
            ChildCounts(code=c.code, name=c.name, loops_open=c.loops_open, counts=_counts(c.counts))
            for c in found.children
        ],
        conservation=ConservationOut(
            created=law.created,
            open=law.open,
            done=law.done,
            waived=law.waived,
            superseded=law.superseded,
            holds=law.holds,
        ),
    )


def _counts(counts: Counts) -> CountsOut:
    return CountsOut(
        open=counts.open,
        due_soon=counts.due_soon,
        late=counts.late,
        done=counts.done,
        waived=counts.waived,
        superseded=counts.superseded,
    )
