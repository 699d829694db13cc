"""The four musts at a gate (D4-05c): scan the code, take the temperature, wear a mask, register strangers."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

SCAN, TEMPERATURE, MASK, REGISTER = "scan", "temperature", "mask", "register"
MUSTS = (SCAN, TEMPERATURE, MASK, REGISTER)

#: How a visit was recorded, as the store has it (`epi.visits.roles.HOW`).
CODE_SCANNED, AT_GATE = 1, 5


@dataclass(frozen=True, slots=True)
class Entry:
    """What was done when somebody passed. `told`: a code was scanned or a number typed; `mask` None = not
    looked at."""

    told: bool
    temperature: float | None
    mask: bool | None
    stranger: bool
    registered: bool


def missing(entry: Entry, required: Collection[str]) -> tuple[str, ...]:
    """Which of the required musts an entry lacks, in their order; none = the entry is complete."""
    done = {
        SCAN: entry.told,
        TEMPERATURE: entry.temperature is not None,
        MASK: entry.mask is True,
        REGISTER: entry.registered or not entry.stranger,
    }
    return tuple(must for must in MUSTS if must in required and not done[must])


def how(entry: Entry) -> int:
    """How the visit counts as recorded. A code alone may have been forwarded and proves nobody's presence;
    somebody whose temperature was taken, or whose mask was seen, stood there."""
    seen = entry.temperature is not None or entry.mask is not None or entry.registered
    return AT_GATE if seen else CODE_SCANNED


def completeness(complete: int, entries: int) -> int | None:
    """Per cent of entries that are complete, rounded down so that 100 means all; None without entries."""
    return None if not entries else complete * 100 // entries


def head_count_limit(capacity: int | None, percent: float) -> int | None:
    """How many people may be in a place at once: the policy's share of what the place is made for."""
    return None if capacity is None else max(1, int(capacity * percent // 100))
