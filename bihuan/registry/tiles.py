"""The schematic map: one square for each child of a territory."""

from __future__ import annotations

from math import ceil, sqrt

from bihuan.registry import territory

#: Wider than high, as a screen is.
_ASPECT = 1.6


def layout(parent_code: str) -> dict[str, tuple[int, int]]:
    """Return {code: (x, y)} for the children in force: the drawn places where there are any, else rows in the
    order of codes. No two children share a square."""
    children = territory.children(parent_code)
    placed: dict[str, tuple[int, int]] = {}
    taken: set[tuple[int, int]] = set()
    for child in children:
        tile = child.geometry_tile
        if tile and tile not in taken:
            placed[child.code] = tile
            taken.add(tile)
    rest = [child.code for child in children if child.code not in placed]
    top = max((y for _x, y in taken), default=-1) + 1
    width = max(max((x for x, _y in taken), default=0) + 1, ceil(sqrt(len(rest) * _ASPECT)))
    for i, code in enumerate(rest):
        placed[code] = (i % width, top + i // width)
    return placed
