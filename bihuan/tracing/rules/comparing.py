"""Two installations compare what they hold of their open requests, so that what one has lost is found though
nobody says anything in its thread.

One side tells, thread by thread, which of its messages have a receipt and which of the other's it keeps; the
other side says what of that it does not hold. Sets, not numbers: a side that came back from an older backup
counts anew. A message is told by its mark, the beginning of its random id; nothing of what it says is told.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from bihuan.tracing.rules.assistance import Side

MARK: Final = 8
"""Letters of a mark: 32 bits, where a thread has a handful of messages."""
MOST_THREADS: Final = 100
MOST_MARKS: Final = 2_000
"""Of one page, so that sealed it is far shorter than an envelope may be (`peers.envelope.MOST_BYTES`)."""
MOST_OF_A_THREAD: Final = 500
"""Marks of one kind in one thread; a thread of more messages is not compared."""

_MARK: Final = re.compile(rf"[0-9a-f]{{{MARK}}}")
_THREAD: Final = re.compile(r"[A-Z]-[0-9A-Z]{10}")

Marks = frozenset[str]
_NONE: Final[Marks] = frozenset()


def mark(message: str) -> str:
    """How a message is told in a comparison."""
    return message[:MARK]


@dataclass(frozen=True, slots=True)
class Told:
    """What one side tells of a thread: `side` is the one it has in it, `said` its messages that have a
    receipt, `heard` the other's that it keeps."""

    thread: str
    side: Side
    said: Marks = _NONE
    heard: Marks = _NONE

    @property
    def is_short(self) -> bool:
        return max(len(self.said), len(self.heard)) <= MOST_OF_A_THREAD


@dataclass(frozen=True, slots=True)
class Held:
    """What the other side holds of the thread: all it ever `said`, of that what has a receipt (`arrived`),
    and what it `heard`. Of a thread that it does not have, nothing."""

    said: Marks = _NONE
    arrived: Marks = _NONE
    heard: Marks = _NONE


@dataclass(frozen=True, slots=True)
class Difference:
    """What the two do not both hold. `unheard`: the teller said it, and the other does not have it any more.
    `unsaid`: the teller heard it, and the other does not know any more that it said it. `untold`: the other
    said it and had a receipt, and the teller does not have it any more."""

    unheard: Marks = _NONE
    unsaid: Marks = _NONE
    untold: Marks = _NONE


def compare(told: Told, held: Held) -> Difference:
    """What two sides of a thread do not both hold, as the one that was told finds it.

    What is on its way counts for nothing: only what has a receipt must be there. `held` is read later than
    `told`, so that what arrives meanwhile is at most taken for `untold`: said again, it is known.
    """
    return Difference(told.said - held.heard, told.heard - held.said, held.arrived - told.heard)


def fitting(told: Sequence[Told]) -> int:
    """How many of these threads, from the first on, go on one page; one at least if there is one."""
    marks = 0
    for n, one in enumerate(told):
        marks += len(one.said) + len(one.heard) if one.is_short else 0
        if n == MOST_THREADS or (n > 0 and marks > MOST_MARKS):
            return n
    return len(told)


def written(page: Iterable[Told]) -> dict[str, dict[str, Any]]:
    """A page as it goes over the wire."""
    return {
        one.thread: {"side": one.side.value, "said": sorted(one.said), "heard": sorted(one.heard)}
        for one in page
    }


def read(page: Any) -> list[Told]:
    """A page from the wire. Raises ValueError for what is none."""
    if not isinstance(page, dict) or len(page) > MOST_THREADS:
        raise ValueError("no page of threads")
    return [_told(thread, one) for thread, one in page.items()]


def _told(thread: str, one: Any) -> Told:
    if not _THREAD.fullmatch(thread) or not isinstance(one, dict) or one.get("side") not in list(Side):
        raise ValueError("no thread")
    return Told(thread, Side(one["side"]), _marks(one.get("said")), _marks(one.get("heard")))


def _marks(found: Any) -> Marks:
    if not isinstance(found, list) or len(found) > MOST_OF_A_THREAD:
        raise ValueError("no marks")
    if not all(isinstance(one, str) and _MARK.fullmatch(one) for one in found):
        raise ValueError("no marks")
    return frozenset(found)


def answered(found: Mapping[str, Difference]) -> dict[str, dict[str, list[str]]]:
    """What the teller is answered: of each thread in which something is missing here, what."""
    return {
        thread: {"unheard": sorted(one.unheard), "unsaid": sorted(one.unsaid)}
        for thread, one in found.items()
        if one.unheard or one.unsaid
    }


def read_answer(answer: Any, page: Iterable[Told]) -> dict[str, Difference]:
    """The other side's answer to a page, as far as it speaks of what was told. Raises ValueError for what is
    none."""
    if not isinstance(answer, dict):
        raise ValueError("no answer")
    found = {}
    for told in page:
        one = answer.get(told.thread)
        if isinstance(one, dict):
            unheard, unsaid = _marks(one.get("unheard")), _marks(one.get("unsaid"))
            found[told.thread] = Difference(unheard & told.said, unsaid & told.heard)
        elif one is not None:
            raise ValueError("no thread")
    return found
