"""Made-up visits from a seed: some places that thousands go to, very many that a few go to.

A place of rank r has a share of (r + HEAD) ** -TAIL (Zipf with a bounded head, Mandelbrot 1953). At 2.4 M
people, three visits a day and 100,000 places the busiest takes 45,000 visits a day (a railway station, a
large mall), the 100th 5,600, the 1,000th 770, the 10,000th 97 and the last 12. Without HEAD the first place
of the same town would take 390,000: every sixth inhabitant, every day. A visit of a case is at a place of
3,900 visits a day in the mean, beside 900 stays that may touch it. Who goes where is chance, but for HABIT of
the visits, which go to one of OWN places of the person, drawn by the same shares (people return to few
places: Song, Qu, Blumm and Barabasi 2010, Science 327:1018).

Each place has its own hours. Stays are log-normal around a quarter of an hour, one in twelve is a working day
or a meal; one in ten is a check-in without an end. Temperatures are taken at four of five gates.

`fill` writes days straight into a store, by the writer's own code from the sorting on: 100 M stays in two
minutes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from bihuan.epi.visits import Batch, Stays, VisitStore
from bihuan.epi.visits.batch import DAY_MINUTES
from bihuan.epi.visits.store import UNKNOWN_END

FIRST_DAY = 18_293  # 2020-02-01
TAIL, HEAD = 0.9, 10
HABIT, OWN = 0.5, 3
_MIX = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))  # splitmix64


@dataclass(frozen=True, slots=True)
class Town:
    """What to make: `visits` per person and day on average; the same seed gives the same visits."""

    people: int = 1_000_000
    places: int = 30_000
    days: int = 1
    visits: float = 3.0
    seed: int = 20200123

    @property
    def per_day(self) -> int:
        return int(self.people * self.visits)


def place_names(town: Town) -> np.ndarray:
    return np.array([f"P{i:07d}" for i in range(town.places)], dtype=object)


def key_of(person: np.ndarray) -> np.ndarray:
    """The keyed number that stands for made-up person number `person`; never 0."""
    mixed = person.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * _MIX[0]
    mixed = (mixed ^ (mixed >> np.uint64(27))) * _MIX[1]
    return np.maximum(mixed ^ (mixed >> np.uint64(31)), np.uint64(1))


def columns(town: Town, day: int) -> dict[str, np.ndarray]:
    """Day `day` (0 the first) as numbers: person, place (its rank), start, end, temperature, how, event."""
    rng = np.random.default_rng([town.seed, day])
    n = town.per_day
    person = rng.integers(0, town.people, n)
    own = key_of(person * OWN + rng.integers(0, OWN, n)) >> np.uint64(11)  # 53 bits, the same every day
    share = np.where(rng.random(n) < HABIT, own * 2.0**-53, rng.random(n))
    place = _ranks(town, share)
    opens = np.random.default_rng(town.seed).integers(6 * 60, 18 * 60, town.places)
    start = np.clip(rng.normal(opens[place] + 150, 130), 0, DAY_MINUTES - 1).astype(np.int64)
    start += (FIRST_DAY + day) * DAY_MINUTES
    stay = np.clip(rng.lognormal(np.log(15), 0.8, n), 1, 60)
    long = rng.random(n) < 1 / 12
    stay = np.where(long, rng.integers(61, 600, n), stay).astype(np.int64)
    end = np.where(rng.random(n) < 0.1, UNKNOWN_END, start + stay)
    taken = np.random.default_rng(town.seed + 1).random(town.places) < 0.8
    temperature = np.where(taken[place], np.round(rng.normal(36.4, 0.3, n), 1), np.nan)
    return {
        "person": person,
        "place": place,
        "start": start,
        "end": end,
        "temperature": temperature,
        "how": (place % 4).astype(np.uint8),
        "event": np.uint64(day + 1) * np.uint64(1 << 40) + np.arange(1, n + 1, dtype=np.uint64),
    }


def _ranks(town: Town, share: np.ndarray) -> np.ndarray:
    """The place below which `share` of all visits lies: the shares of ranks, summed and turned around."""
    first, last = HEAD ** (1 - TAIL), (HEAD + town.places) ** (1 - TAIL)
    rank = (first + share * (last - first)) ** (1 / (1 - TAIL)) - HEAD
    return np.clip(rank.astype(np.int64), 0, town.places - 1)


def batches(town: Town) -> Iterator[Batch]:
    """One batch a day, in the order a day's gates would send it."""
    names = place_names(town)
    for day in range(town.days):
        made = columns(town, day)
        yield Batch(
            event=key_of(made["event"]),
            person_key=key_of(made["person"] + 1),
            place=made["place"],
            start=made["start"],
            end=made["end"],
            temperature=made["temperature"],
            how=made["how"],
            place_names=names,
        )


def fill(store: VisitStore, town: Town) -> None:
    """All days of `town` into an empty store, one segment a day; small numbers are those of the town."""
    with store.writer():
        store.places.number([str(name) for name in place_names(town)])
        store.people.number(key_of(np.arange(1, town.people + 1)))
        for day in range(town.days):
            store.put_day(FIRST_DAY + day, _stays(columns(town, day)))


def _stays(made: dict[str, np.ndarray]) -> Stays:
    batch = Batch(
        made["event"],
        made["event"],
        made["place"],
        made["start"],
        made["end"],
        made["temperature"],
        made["how"],
    )
    return Stays(
        person=made["person"].astype(np.uint32),
        place=made["place"].astype(np.uint32),
        start=made["start"].astype(np.int32),
        minutes=batch.minutes(),
        temperature=batch.temperatures(),
        how=made["how"],
    )
