"""Which records are one person: from the joins that hold to the record that stands for all. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Join:
    """Somebody found `merged` to be the same person as `kept`. Joins hold in the order of their `number`."""

    number: int
    kept: int
    merged: int


def roots(records: Iterable[int], joins: Sequence[Join]) -> dict[int, int]:
    """For each record, the record that stands for its person.

    The answer follows from the joins that hold and from nothing else: taking one back gives what there
    would be if it had never been made. Where two groups meet, the group of `kept` gives the root.
    """
    parent = {record: record for record in records}
    for join in sorted(joins, key=lambda j: j.number):
        kept, merged = _top(parent, join.kept), _top(parent, join.merged)
        if kept != merged:
            parent[merged] = kept
    return {record: _top(parent, record) for record in parent}


def _top(parent: dict[int, int], record: int) -> int:
    while parent[record] != record:
        record = parent[record]
    return record


def common_code(a: str, b: str) -> str:
    """The longest territory code that both lie in, as far as the codes alone can tell: their common start."""
    length = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
    return a[:length]
