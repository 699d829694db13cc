"""The two rings of the board: which loop stages feed which arc (packs/loops/rings.yaml)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml
from django.conf import settings

from bihuan.loops.queries.board import Board, Counts

RINGS_FILE = Path("loops") / "rings.yaml"


@dataclass(frozen=True, slots=True)
class RingStage:
    """One arc. `sources` are (definition, stage) pairs whose duties it shows."""

    key: str
    label: Mapping[str, str]
    sources: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class RingDef:
    """One ring: the admission loop or the data loop, arcs in order."""

    key: str
    label: Mapping[str, str]
    clause: str
    stages: tuple[RingStage, ...]

    def stage_of(self, definition: str, stage: str) -> str | None:
        """The arc that shows a stage of a definition, or None."""
        return next((s.key for s in self.stages if (definition, stage) in s.sources), None)


def find_rings() -> dict[str, RingDef]:
    """The rings by key, as the first pack folder that has them says."""
    return _read(tuple(map(str, settings.BIHUAN_PACKS)))


@lru_cache(maxsize=4)
def _read(folders: tuple[str, ...]) -> dict[str, RingDef]:
    for folder in folders:
        path = Path(folder) / RINGS_FILE
        if path.is_file():
            raw = yaml.safe_load(path.read_text(encoding="utf-8"))["rings"]
            return {key: _ring(key, item) for key, item in raw.items()}
    raise FileNotFoundError(f"no {RINGS_FILE} in {', '.join(folders)}")


@dataclass(frozen=True, slots=True)
class BoardArc:
    """One arc with its figures; `late` and `due_soon` are part of `open`."""

    stage: RingStage
    counts: Counts


@dataclass(frozen=True, slots=True)
class BoardRing:
    """A ring with its arcs. `loops_open` = loops that can feed it and are open."""

    ring: RingDef
    arcs: tuple[BoardArc, ...]
    loops_open: int
    counts: Counts

    @property
    def share_on_time(self) -> float | None:
        """Of the duties not fallen away, the share that is done or not late; None when there is none."""
        owed = self.counts.open + self.counts.done
        return (owed - self.counts.late) / owed if owed else None


def rings_of(board: Board, child: str | None = None) -> list[BoardRing]:
    """The two rings of a board, or of one of its child territories, from its cells."""
    return [_board_ring(ring, board, child) for ring in find_rings().values()]


def _board_ring(ring: RingDef, board: Board, child: str | None) -> BoardRing:
    arcs = []
    total = Counts()
    for stage in ring.stages:
        counts = Counts()
        for (code, definition, name), cell in board.cells.items():
            if (definition, name) in stage.sources and child in (None, code):
                counts.add(cell)
        total.add(counts)
        arcs.append(BoardArc(stage, counts))
    fed = {definition for stage in ring.stages for definition, _stage in stage.sources}
    return BoardRing(
        ring, tuple(arcs), sum(loop.loops_open for loop in board.loops if loop.definition in fed), total
    )


def _ring(key: str, raw: Mapping[str, Any]) -> RingDef:
    stages = tuple(
        RingStage(item["stage"], item["label"], tuple(_pair(source) for source in item["from"]))
        for item in raw["stages"]
    )
    return RingDef(key, raw["label"], raw.get("clause", ""), stages)


def _pair(source: str) -> tuple[str, str]:
    definition, _dot, stage = source.partition(".")
    return definition, stage
