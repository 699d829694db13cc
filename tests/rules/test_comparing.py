"""Two sides of a thread compare what they hold: after it each has what the other says, and then nothing goes
again."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bihuan.tracing.peers.envelope import MOST_BYTES
from bihuan.tracing.rules import comparing
from bihuan.tracing.rules.assistance import Side
from bihuan.tracing.rules.comparing import Difference, Held, Told, compare

A, B = Side.ASKING, Side.ASKED


@dataclass
class Installation:
    """One side of a thread: its messages and which of them have a receipt, and what it heard, in the order in
    which they came about; a restore takes the newest away."""

    side: Side
    log: list[tuple[str, str]] = field(default_factory=list)

    def of(self, kind: str) -> frozenset[str]:
        return frozenset(mark for what, mark in self.log if what == kind)

    def note(self, kind: str, mark: str) -> None:
        if (kind, mark) not in self.log:
            self.log.append((kind, mark))

    def told(self) -> Told:
        return Told("R-0000000000", self.side, self.of("arrived"), self.of("heard"))

    def held(self) -> Held:
        return Held(self.of("said"), self.of("arrived"), self.of("heard"))

    def again(self, marks: frozenset[str]) -> bool:
        """All that had a receipt goes again if any of it is missing there."""
        if marks:
            self.log = [one for one in self.log if one[0] != "arrived"]
        return bool(marks)


def deliver(here: Installation, there: Installation) -> None:
    for mark in sorted(here.of("said") - here.of("arrived")):
        there.note("heard", mark)
        here.note("arrived", mark)


def asked(here: Installation, there: Installation) -> bool:
    """One tells the other, and both begin what is to be done; whether anything goes again."""
    found = compare(here.told(), there.held())
    answer = comparing.answered({here.told().thread: found})
    read = comparing.read_answer(json.loads(json.dumps(answer)), [here.told()])
    missing = read.get(here.told().thread, Difference())
    return any([here.again(missing.unheard), there.again(found.untold)])


steps = st.lists(
    st.one_of(
        st.tuples(st.just("say"), st.sampled_from([A, B])),
        st.tuples(st.just("deliver"), st.sampled_from([A, B])),
        st.tuples(st.sampled_from(range(9)), st.sampled_from([A, B])),
    ),
    max_size=30,
)


@given(steps)
def test_after_any_restores_one_comparison_brings_everything_to_both(done: list[tuple[object, Side]]) -> None:
    sides = {side: Installation(side) for side in (A, B)}
    for n, (what, side) in enumerate(done):
        here, there = sides[side], sides[side.other]
        if what == "say":
            here.note("said", f"{n:08x}")
        elif what == "deliver":
            deliver(here, there)
        else:
            del here.log[int(str(what)) :]
    asked(sides[A], sides[B])
    for side in (A, B):
        deliver(sides[side], sides[side.other])
    for side in (A, B):
        assert sides[side].of("said") <= sides[side.other].of("heard")
    assert not asked(sides[A], sides[B])
    assert not asked(sides[B], sides[A]), "what both hold goes no more"


def test_what_is_on_its_way_is_not_missing() -> None:
    told = Told("R-0000000000", A, frozenset({"a" * 8}), frozenset())
    on_the_way = Held(said=frozenset({"b" * 8}), heard=frozenset({"a" * 8}))
    assert compare(told, on_the_way) == Difference()


def test_of_a_thread_that_is_not_there_everything_is_missing() -> None:
    told = Told("R-0000000000", A, frozenset({"a" * 8}), frozenset({"b" * 8}))
    assert compare(told, Held()) == Difference(unheard=told.said, unsaid=told.heard)


@given(st.lists(st.tuples(st.integers(0, 600), st.integers(0, 600)), max_size=150))
def test_a_page_fits_into_an_envelope_and_nothing_is_left_behind(sizes: list[tuple[int, int]]) -> None:
    told = [Told(f"R-{n:010d}", A, _marks(said), _marks(heard)) for n, (said, heard) in enumerate(sizes)]
    seen = 0
    while rest := told[seen:]:
        fits = comparing.fitting(rest)
        page = [one for one in rest[:fits] if one.is_short]
        sealed = len(json.dumps(comparing.written(page))) * 4 / 3
        assert fits > 0
        assert sealed < MOST_BYTES - 2048
        assert comparing.read(comparing.written(page)) == page
        seen += fits


def _marks(n: int) -> frozenset[str]:
    return frozenset(f"{one:08x}" for one in range(n))


THREAD = "R-0000000000"


@pytest.mark.parametrize(
    "page",
    [
        None,
        [],
        {"x": {"side": "asking", "said": [], "heard": []}},
        {THREAD: []},
        {THREAD: {"side": "both", "said": [], "heard": []}},
        {THREAD: {"side": [], "said": [], "heard": []}},
        {THREAD: {"side": "asking", "said": ["x"], "heard": []}},
        {THREAD: {"side": "asking", "said": [["a" * 8]], "heard": []}},
        {THREAD: {"side": "asking", "said": []}},
        {THREAD: {"side": "asking", "said": ["a" * 8] * 501, "heard": []}},
        {f"R-{n:010d}": {"side": "asking", "said": [], "heard": []} for n in range(101)},
    ],
)
def test_what_is_no_page_is_told_so(page: object) -> None:
    with pytest.raises(ValueError, match="no "):
        comparing.read(page)


def test_an_answer_speaks_of_nothing_but_what_was_told() -> None:
    told = Told(THREAD, A, frozenset({"a" * 8}), frozenset({"b" * 8}))
    more = {"unheard": ["a" * 8, "c" * 8], "unsaid": ["c" * 8]}
    found = comparing.read_answer({THREAD: more, "R-1111111111": more}, [told])
    assert found == {THREAD: Difference(unheard=frozenset({"a" * 8}))}
    for wrong in (None, [], {THREAD: []}, {THREAD: {"unheard": "a"}}):
        with pytest.raises(ValueError, match="no "):
            comparing.read_answer(wrong, [told])
