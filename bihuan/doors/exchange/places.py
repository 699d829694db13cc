"""Where a row belongs: codes and names of the list to a code of the territory tree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.translation import gettext as _

from bihuan.registry import territory
from bihuan.registry.errors import UnknownTerritory

from . import words
from .mapping import TerritoryRule
from .parse import split_address
from .rows import ParsedRow

LEVELS = ("province", "city", "county", "street", "community")
_KEYS = tuple(f"territory.{name}" for name in LEVELS)


class PlaceFinder:
    """Resolves the territory of rows; remembers answers.

    `given`: the territory of the command (`--territory`), default that of the post: rows without a place go
    there, and names are looked for below it first. `scope`: rows outside it are rejected. "" is everywhere.
    """

    def __init__(self, rule: TerritoryRule, *, given: str = "", scope: str = "") -> None:
        self.rule, self.given, self.scope = rule, given or scope, scope
        self.tree = territory.tree()
        self.constant = self._constant()
        self.within = rule.within or self.given
        self.above = {t.code for t in self._line(self.within)}
        self._addresses: dict[str, str] = {}
        self._memo: dict[tuple[Any, ...], tuple[str, str, str, tuple[str, ...]]] = {}

    def _constant(self) -> str:
        """The command's territory when it lies within the mapping's, else the mapping's. Raises NotFound."""
        mapped = self.tree.resolve(self.rule.constant).code if self.rule.constant else ""
        if self.given:
            self.tree.resolve(self.given)
        if mapped and not mapped.startswith(self.given):
            return self.given if self.given.startswith(mapped) else mapped
        return mapped or self.given or (self.rule.fallback or "")

    def _line(self, code: str) -> list[Any]:
        """The territory and those above it."""
        here = self.tree.find(code) if code else None
        return [here, *self.tree.ancestors(code)] if here else []

    def place(self, row: ParsedRow, header_of: Mapping[str, str]) -> str:
        """The row's territory code, "" when none; findings are added to the row."""
        values = row.values
        code = values.get("territory.code")
        names = tuple(values.get(k) for k in _KEYS)
        tail: tuple[str, ...] = ()
        if not code and not any(names):
            found, bad = self._by_address(values.get("person.address", "")) or self.constant, ""
        else:
            key = (code, *names)
            if key not in self._memo:
                self._memo[key] = self._find(code, names)
            found, bad, at, tail = self._memo[key]
            if bad:
                self._complain(row, found, bad, header_of.get(at, ""))
        if tail:
            address = values.get("person.address", "")
            values["person.address"] = " ".join([*tail, address] if address else tail)[:300]
        if not found:
            if not bad:
                row.reject("territory.missing")
        elif self.scope and not found.startswith(self.scope):
            row.reject("territory.scope", value=found, scope=self.scope)
        return found

    def _by_address(self, address: str) -> str:
        """The territory an address names, as deep as it does so without doubt; "" when it names none.

        Only where the mapping says nothing about territories, and only at or below where the row would go
        anyhow: an address elsewhere moves nobody out of the list's territory.
        """
        if not address or self.rule != TerritoryRule():
            return ""
        if address not in self._addresses:
            found = self._read_address(address, split_address(address))
            self._addresses[address] = found or self._read_address(address, split_address(address)[::-1])
        return self._addresses[address]

    def _read_address(self, address: str, parts: Sequence[str]) -> str:
        here = self.within
        for part in parts:
            below = self.tree.find_by_name(part, here or None)
            top = [t for t in below if not any(t.code != o.code and t.code.startswith(o.code) for o in below)]
            if len(top) == 1 and not top[0].is_pseudo:
                here = top[0].code
        return here if here != self.within and here.startswith(self.constant) else ""

    def _complain(self, row: ParsedRow, found: str, bad: str, header: str) -> None:
        inside = _(" within %s") % self.tree.find(self.within).label if self._known(self.within) else ""  # type: ignore[union-attr]
        if found:
            row.warn("territory.fallback", column=header, value=bad, within=inside, placed=found)
        else:
            near = ", ".join(f"{t.code} {t.label}" for t in self.tree.nearest(bad))
            row.reject("territory.unknown", column=header, value=bad, within=inside, nearest=near)

    def _known(self, code: str) -> bool:
        return bool(code) and self.tree.find(code) is not None

    def _find(self, code: str | None, names: tuple[str | None, ...]) -> tuple[str, str, str, tuple[str, ...]]:
        """(code, name not found, field of that name, names left over below the tree's end)."""
        if code:
            try:
                return self.tree.resolve(self.rule.names.get(words.plain(code), code)).code, "", "", ()
            except UnknownTerritory:
                return self.rule.fallback or "", code, "territory.code", ()
        here, filled = self.within, [(k, n) for k, n in zip(_KEYS, names, strict=True) if n]
        for index, (key, name) in enumerate(filled):
            found = self._by_name(name, here, LEVELS.index(key.removeprefix("territory.")) + 1)
            if found:
                here = found
            elif here and not self.tree.children_of.get(here):
                return here, "", "", tuple(n for _k, n in filled[index:])  # the tree ends here
            else:
                placed = here if here != self.within or self.given else (self.rule.fallback or "")
                return placed or self.rule.fallback or "", name, key, tuple(n for _k, n in filled[index:])
        return here, "", "", ()

    def _by_name(self, name: str, within: str, level: int) -> str:
        known = self.rule.names.get(words.plain(name))
        if known and (not within or known.startswith(within)):
            return self.tree.resolve(known).code
        called = set(self.tree.by_name.get(name.strip(), ()))
        if within and within in called:
            return within  # 天津市 as province and again as city
        if within == self.within and called & self.above:
            return within  # a county's own list that also names its province and city
        found = self._below(name, within, level)
        if not found and within and within == self.within and not self.rule.within:
            found = self._below(name, "", level)
        return found

    def _below(self, name: str, within: str, level: int) -> str:
        candidates = self.tree.find_by_name(name, within or None)
        exact = [t for t in candidates if t.level == level and not t.is_pseudo] or [
            t for t in candidates if not t.is_pseudo
        ]
        top = [t for t in exact if not any(o.code != t.code and t.code.startswith(o.code) for o in exact)]
        return top[0].code if len(top) == 1 else ""
