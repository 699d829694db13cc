"""The library: all packs of some folders, checked together, and what is in force at a place on a day.

How packs lie over each other
    1. A pack is for a territory: anywhere (""), an area (a country, `areas.yaml`), or a territory code.
       The narrower one lies above: city over province over country over anywhere.
    2. In one territory one edition is in force at a time. An edition without an end runs until the next
    begins. 3. `extends` a pack of the same territory: its values and loops are inherited, whether or not it
    still runs.
       `extends` a pack of a wider territory: the pack stands on the wider territory's edition in force that
       day, and on the one it names when none is (so a province's opinion outlives the national edition it was
       written on, and moves over to a new national edition when one comes).
    4. A value may have variants with their own dates inside the pack's.
    5. The highest layer that has a key gives its value; the ones below are kept as its chain.
"""

from __future__ import annotations

import bisect
import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path as File
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from bihuan.policy.errors import PacksBroken, UnknownPack, UnknownPolicyKey, nearest
from bihuan.policy.rules.pack import ANYWHERE, LoopText, Pack, RuleText, Value
from bihuan.policy.rules.problems import Problem
from bihuan.policy.rules.reading import Reader, Vocabulary, is_pack, is_vocabulary, read_vocabulary
from bihuan.policy.rules.source import Document, read_file

_Dated = TypeVar("_Dated", Value, RuleText)
_EVER = dt.date.min
_REMEMBERED = 200_000  # territories whose layers are kept in memory; China has about 650,000 communities


@dataclass(frozen=True, eq=False)
class ResolvedPolicy:
    """What holds at a place during a stretch of days in which nothing changes. Frozen; compare by `id`.

    `id` names packs and stretch, such as "hubei-2020-02+cn-nhc-2020-01+generic-respiratory@2020-02-17":
    the packs in force, narrowest first, and the first day of the stretch. `Library.by_id` finds it again.
    """

    id: str
    layers: tuple[Pack, ...]
    values: Mapping[str, Value]
    rules: Mapping[str, RuleText]
    loops: Mapping[str, LoopText]
    tz: str
    date_from: dt.date | None
    date_to: dt.date | None
    aliases: Mapping[str, str] = field(repr=False, default_factory=dict)

    def value(self, key: str) -> Value:
        """Return the value of `key`, or raise UnknownPolicyKey with the nearest keys."""
        found = self.values.get(key)
        if found is None:
            found = self.values.get(self.aliases.get(key, ""))
        if found is None:
            raise UnknownPolicyKey(key, [*self.values, *self.aliases])
        return found

    @property
    def transition(self) -> str:
        """Return "keep" or "replan": what happens to running loops and orders when this comes into force.

        The narrowest pack that begins on `date_from`, or in which something begins then, decides; else
        "keep".
        """
        return self.beginning.transition if self.beginning else "keep"

    @property
    def beginning(self) -> Pack | None:
        """Return the narrowest pack that begins, or in which something begins, on `date_from`."""
        if self.date_from is None:
            return None
        return next((p for p in self.layers if _begins(p, self.date_from)), None)


@dataclass(eq=False)
class Library:
    """Packs and vocabulary. `problems` lists all that is wrong; a library with errors answers nothing."""

    packs: dict[str, Pack]
    vocabulary: Vocabulary
    problems: tuple[Problem, ...] = ()
    _editions: dict[str, list[tuple[dt.date, dt.date, Pack]]] = field(default_factory=dict, repr=False)
    _chains: dict[str, tuple[str, ...]] = field(default_factory=dict, repr=False)
    _turns: dict[tuple[str, ...], tuple[dt.date, ...]] = field(default_factory=dict, repr=False)
    _resolved: dict[tuple[tuple[str, ...], int], ResolvedPolicy] = field(default_factory=dict, repr=False)
    _zones: dict[tuple[str, ...], ZoneInfo] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        for pack in self.packs.values():
            self._editions.setdefault(pack.territory, []).append((pack.date_from or _EVER, _EVER, pack))
        for territory, listed in self._editions.items():
            listed.sort(key=lambda edition: edition[0])
            starts = [*[start for start, _, _ in listed[1:]], dt.date.max]
            self._editions[territory] = [
                (start, min(pack.date_to or dt.date.max, _before(following)), pack)
                for (start, _, pack), following in zip(listed, starts, strict=True)
            ]

    # --- answers ---

    def pack(self, pack_id: str) -> Pack:
        found = self.packs.get(pack_id)
        if found is None:
            raise UnknownPack(pack_id, self.packs)
        return found

    def last_day(self, pack: Pack) -> dt.date | None:
        """Return the last day a pack runs: its own end, or the day before the next edition; None when
        open."""
        found = next(end for _, end, p in self._editions[pack.territory] if p is pack)
        return None if found == dt.date.max else found

    def in_force(self, territory: str, on: dt.date | dt.datetime) -> ResolvedPolicy:
        """Return what holds in `territory` (a code) on a local day, or at an aware instant. Cached."""
        chain = self._chains.get(territory)
        if chain is None:
            chain = self._chain(territory)
        if isinstance(on, dt.datetime):
            on = self._local_day(chain, on)
        turns = self._turns.get(chain)
        if turns is None:
            turns = self._turns[chain] = self._turning_days(chain)
        place = (chain, bisect.bisect_right(turns, on))
        found = self._resolved.get(place)
        if found is None:
            found = self._resolved[place] = self._resolve(chain, turns, place[1])
        return found

    def local_day(self, territory: str, at: dt.datetime) -> dt.date:
        """Return the local day of an aware instant by the packs' time zone in a territory."""
        return self._local_day(self._chain(territory), at)

    def by_id(self, policy_id: str) -> ResolvedPolicy:
        """Return the policy a loop was opened under, from the id it stored.

        The same packs from the same day hold the same values, whichever place is asked for them.
        """
        names, _, start = policy_id.partition("@")
        packs = [self.pack(name) for name in names.split("+")]
        chain = tuple(sorted({p.territory for p in packs}, key=self._width, reverse=True))
        day = dt.date.fromisoformat(start) if start else _EVER
        for candidate in self._chains_with(chain):
            found = self.in_force(candidate, day)
            if found.id == policy_id:
                return found
        raise UnknownPack(policy_id, self.packs)

    def stretches(self, territory: str) -> list[ResolvedPolicy]:
        """Return everything that ever held in a territory, oldest first."""
        chain = self._chain(territory)
        return [self.in_force(territory, day) for day in (_EVER, *self._turning_days(chain))]

    def replans(self, territory: str, after: dt.date | None, until: dt.date) -> list[ResolvedPolicy]:
        """Return what came into force in a territory after one day and up to another, both local, and asks
        for running loops and orders to be planned again; oldest first."""
        chain = self._chain(territory)
        turns = self._turns.get(chain) or self._turning_days(chain)
        days = [day for day in turns if (after is None or day > after) and day <= until]
        return [policy for day in days if (policy := self.in_force(territory, day)).transition == "replan"]

    # --- how ---

    def _chain(self, territory: str) -> tuple[str, ...]:
        """Return the packs' territories that cover a code, narrowest first."""
        known = self._chains.get(territory)
        if known is not None:
            return known
        covering = [t for t in self._editions if self._covers(t, territory)]
        chain = tuple(sorted(covering, key=self._width, reverse=True))
        if len(self._chains) < _REMEMBERED:
            self._chains[territory] = chain
        return chain

    def _chains_with(self, chain: tuple[str, ...]) -> Iterable[str]:
        """Return codes to ask for when looking for a chain: the narrowest territory, or a code inside its
        area."""
        narrowest = chain[0] if chain else ANYWHERE
        yield from self._editions
        yield from self.vocabulary.areas.get(narrowest, ())
        yield narrowest

    def _covers(self, pack_territory: str, code: str) -> bool:
        if pack_territory in self.vocabulary.areas and code != pack_territory:
            return code.startswith(self.vocabulary.areas[pack_territory])
        return code.startswith(pack_territory)

    def _width(self, territory: str) -> int:
        """Return how narrow a territory is: anywhere 0, an area 1, a code by its length."""
        if territory == ANYWHERE:
            return 0
        return 1 if territory in self.vocabulary.areas else 1 + len(territory)

    def _local_day(self, chain: tuple[str, ...], at: dt.datetime) -> dt.date:
        if at.tzinfo is None:
            raise ValueError("in_force needs a date, or a datetime with a time zone")
        zone = self._zones.get(chain)
        if zone is None:
            zone = self._zones[chain] = ZoneInfo(self._tz(chain))
        return at.astimezone(zone).date()

    def _tz(self, chain: tuple[str, ...]) -> str:
        listed = [edition[2].tz for territory in chain for edition in self._editions[territory]]
        return listed[0] if listed else "UTC"

    def _turning_days(self, chain: tuple[str, ...]) -> tuple[dt.date, ...]:
        """Return the days on which something may change for a chain: starts, and days after ends."""
        days: set[dt.date] = set()
        for territory in chain:
            for start, end, pack in self._editions[territory]:
                days |= {start, _after(end)}
                for ancestor in (pack, *self._ancestors(pack)):
                    for entry in _entries(ancestor):
                        days |= {
                            entry.provenance.date_from or _EVER,
                            _after(entry.provenance.date_to or dt.date.max),
                        }
        return tuple(sorted(days - {_EVER, dt.date.max}))

    def _ancestors(self, pack: Pack) -> list[Pack]:
        found, seen = [], {pack.id}
        while pack.extends and pack.extends in self.packs and pack.extends not in seen:
            pack = self.packs[pack.extends]
            seen.add(pack.id)
            found.append(pack)
        return found

    def _layers(self, chain: tuple[str, ...], on: dt.date) -> list[Pack]:
        """Return the packs that speak on a day, the highest first."""
        running = {t: self._edition(t, on) for t in chain}
        layers: list[Pack] = []
        for territory in chain:
            pack = running[territory]
            if pack is None:
                continue
            if pack not in layers:
                layers.append(pack)
            for ancestor in self._ancestors(pack):
                same_place = ancestor.territory == territory
                nobody_else = running.get(ancestor.territory) is None
                if (same_place or nobody_else) and ancestor not in layers:
                    layers.append(ancestor)
        return sorted(layers, key=lambda p: self._width(p.territory), reverse=True)

    def _edition(self, territory: str, on: dt.date) -> Pack | None:
        return next((p for start, end, p in self._editions[territory] if start <= on <= end), None)

    def _resolve(self, chain: tuple[str, ...], turns: Sequence[dt.date], index: int) -> ResolvedPolicy:
        start = turns[index - 1] if index else None
        end = _before(turns[index]) if index < len(turns) else None
        layers = self._layers(chain, start or _EVER)
        names = "+".join(p.id for p in layers)
        return ResolvedPolicy(
            id=f"{names}@{start}" if start else names,
            layers=tuple(layers),
            values=_laid([p.values for p in layers], start or _EVER),
            rules=_laid([p.rules for p in layers], start or _EVER),
            loops={name: loop for p in reversed(layers) for name, loop in p.loops.items()},
            tz=self._tz(chain),
            date_from=start,
            date_to=end,
            aliases=self.vocabulary.aliases,
        )


def first_day(policy_id: str) -> dt.date | None:
    """Return the day from which the policy of this id holds; None: since ever."""
    _names, _, start = policy_id.partition("@")
    return dt.date.fromisoformat(start) if start else None


def _entries(pack: Pack) -> Iterable[Value | RuleText]:
    for values in pack.values.values():
        yield from values
    for rules in pack.rules.values():
        yield from rules


def _begins(pack: Pack, day: dt.date) -> bool:
    return pack.date_from == day or any(entry.provenance.date_from == day for entry in _entries(pack))


def _laid(layers: Sequence[Mapping[str, tuple[_Dated, ...]]], on: dt.date) -> dict[str, _Dated]:
    """Lay mappings of dated variants over each other; the first one is on top."""
    answer: dict[str, _Dated] = {}
    for layer in reversed(layers):
        for key, variants in layer.items():
            found = [v for v in variants if _holds(v, on)]
            if found:
                answer[key] = replace(found[-1], chain=_with_chain(answer.get(key)))
    return dict(sorted(answer.items()))


def _with_chain(covered: Any) -> tuple[Any, ...]:
    if covered is None:
        return ()
    return (replace(covered, chain=()), *covered.chain)


def _holds(entry: Value | RuleText, on: dt.date) -> bool:
    return (entry.provenance.date_from or _EVER) <= on <= (entry.provenance.date_to or dt.date.max)


def _before(day: dt.date) -> dt.date:
    return day if day in (dt.date.max, _EVER) else day - dt.timedelta(days=1)


def _after(day: dt.date) -> dt.date:
    return day if day == dt.date.max else day + dt.timedelta(days=1)


# --- loading ----------------------------------------------------------------------------------------


def read_all(folders: Iterable[File | str]) -> Library:
    """Read every pack and vocabulary file lying directly in the folders. Problems are kept, not raised.

    A later folder may add to or replace an earlier one's sources and keys, but not its packs.
    """
    documents = [read_file(f) for folder in folders for f in sorted(File(folder).glob("*.yaml"))]
    problems: list[Problem] = [p for d in documents for p in d.problems]
    vocabulary = Vocabulary()
    for document in documents:
        if is_vocabulary(document.data):
            reader = Reader(document, vocabulary)
            read_vocabulary(reader)
            problems += reader.problems
    packs: dict[str, Pack] = {}
    for document in documents:
        if is_pack(document.data) and not is_vocabulary(document.data):
            problems += _read_pack(document, vocabulary, packs)
    problems += _check_together(packs, vocabulary)
    return Library(packs=packs, vocabulary=vocabulary, problems=tuple(problems))


def load_all(folders: Iterable[File | str]) -> Library:
    """Return the library of the folders, or raise PacksBroken with every error in them."""
    library = read_all(folders)
    errors = [p for p in library.problems if p.severity == "error"]
    if errors:
        raise PacksBroken(errors)
    return library


def _read_pack(document: Document, vocabulary: Vocabulary, packs: dict[str, Pack]) -> list[Problem]:
    reader = Reader(document, vocabulary)
    pack = reader.pack()
    if pack is not None and pack.id in packs:
        reader.problem(
            ("pack",), "twice", "The pack {name} is also in {file}.", name=pack.id, file=packs[pack.id].file
        )
    elif pack is not None:
        packs[pack.id] = pack
    return reader.problems


def _check_together(packs: Mapping[str, Pack], vocabulary: Vocabulary) -> list[Problem]:
    problems: list[Problem] = []
    for pack in packs.values():
        problems += _check_extends(pack, packs, vocabulary)
    by_territory: dict[str, list[Pack]] = {}
    for pack in packs.values():
        by_territory.setdefault(pack.territory, []).append(pack)
    for listed in by_territory.values():
        problems += _check_overlap(sorted(listed, key=lambda p: p.date_from or _EVER))
    return problems


def _at(pack: Pack, code: str, template: str, **params: object) -> Problem:
    return Problem(pack.file, pack.line, pack.id, code, template, params)


def _check_extends(pack: Pack, packs: Mapping[str, Pack], vocabulary: Vocabulary) -> list[Problem]:
    if not pack.extends:
        return []
    parent = packs.get(pack.extends)
    if parent is None:
        names = ", ".join(nearest(pack.extends, packs) or sorted(packs))
        template = "It extends {name}, which does not exist. Nearest: {names}."
        return [_at(pack, "unknown-pack", template, name=pack.extends, names=names)]
    seen: list[str] = [pack.id]
    below: str = pack.extends
    while below in packs:
        if below in seen:
            return [_at(pack, "cycle", "It extends itself: {path}.", path=" > ".join([*seen, below]))]
        seen.append(below)
        below = packs[below].extends
    if not Library({}, vocabulary)._covers(parent.territory, pack.territory):
        template = "It extends {name}, which is for another territory ({territory})."
        return [_at(pack, "not-allowed", template, name=parent.id, territory=parent.territory)]
    if (parent.date_from or _EVER) > (pack.date_from or _EVER):
        return [_at(pack, "bad-date", "It extends {name}, which begins later.", name=parent.id)]
    return []


def _check_overlap(listed: Sequence[Pack]) -> list[Problem]:
    problems = []
    for before, after in pairwise(listed):
        begins = after.date_from or _EVER
        if (before.date_from or _EVER) == begins or (before.date_to is not None and before.date_to >= begins):
            problems.append(
                _at(
                    after,
                    "overlap",
                    "It overlaps {name} in the same territory: both hold on {day}.",
                    name=before.id,
                    day=begins,
                )
            )
        if before.tz != after.tz:
            problems.append(_at(after, "bad-zone", "Its time zone is not that of {name}.", name=before.id))
    return problems
