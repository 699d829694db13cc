"""The two rings of the board: which loop stages feed which arc (packs/loops/rings.yaml)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml
from django.conf import settings

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


def _ring(key: str, raw: Mapping[str, Any]) -> RingDef:
    stages = tuple(
        RingStage(item["stage"], item["label"], tuple(_pair(source) for source in item["from"]))
        for item in raw["stages"]
    )
    return RingDef(key, raw["label"], raw.get("clause", ""), stages)


def _pair(source: str) -> tuple[str, str]:
    definition, _dot, stage = source.partition(".")
    return definition, stage
