"""Questions to the territory tree. The whole tree is read once and kept while it does not change."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property

from django.db import connection
from django.utils.translation import gettext as _
from rapidfuzz import fuzz, process
from rapidfuzz.distance import Levenshtein

from bihuan.registry import place_names, text
from bihuan.registry.errors import AmbiguousTerritory, UnknownTerritory
from bihuan.registry.models.territory import Level
from bihuan.registry.stamps import Stamped

#: How many nearest matches an error names.
NEAREST = 3
#: Names less like the wanted one (of 100) are not named.
_LEAST_LIKE = 40
#: How many places that share a name an error lists.
LISTED = 12


@dataclass(frozen=True, slots=True)
class Territory:
    """One territory as read. `valid_from` inclusive, `valid_to` exclusive, local dates; None = unbounded."""

    code: str
    name: str
    english: str
    level: int
    kind: str
    parent_code: str
    valid_from: date | None
    valid_to: date | None
    successor_code: str | None
    tz: str
    geometry_tile: tuple[int, int] | None
    population: int | None

    @property
    def name_en(self) -> str:
        """The English name: the stored one, else by the rules of `place_names` (all villages)."""
        return self.english or place_names.english(self.name, self.level)

    @property
    def label(self) -> str:
        """The name in the reader's language."""
        return text.name_of(self.name, self.name_en)

    @property
    def is_pseudo(self) -> bool:
        """A code that only holds others together (省直辖, 市辖区); nobody governs it."""
        return self.kind == "pseudo_city"

    def in_force(self, on: date | None) -> bool:
        """Whether the code is in force on a local date; None asks for today's list: not retired."""
        if on is None:
            return self.valid_to is None
        return (self.valid_from is None or self.valid_from <= on) and (
            self.valid_to is None or on < self.valid_to
        )


@dataclass(frozen=True)
class Tree:
    """The tree in memory. Cheap to ask: dictionary look-ups."""

    by_code: dict[str, Territory]
    children_of: dict[str, list[str]] = field(default_factory=dict)

    @cached_property
    def by_name(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for place in self.by_code.values():
            for name in _spellings(place):
                found.setdefault(name, []).append(place.code)
        return found

    @cached_property
    def by_local_code(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for code in self.by_code:
            if code.endswith("."):
                found.setdefault(_local_code(code), []).append(code)
        return found

    def find(self, code: str) -> Territory | None:
        return self.by_code.get(code)

    def resolve(self, code: str, on: date | None = None) -> Territory:
        """Return the territory that `code` means: itself while in force, else what followed it.

        `on` None takes the list of today. A retired code without a known successor is returned as it is.
        Raises UnknownTerritory with the nearest codes and names.
        """
        here = self.by_code.get(code) or self._by_local_code(code)
        if here is None:
            raise self._unknown(code)
        seen = {here.code}
        while here.valid_to is not None and here.successor_code and not here.in_force(on):
            if on is not None and on < here.valid_to:
                break
            following = self.by_code.get(here.successor_code)
            if following is None or following.code in seen:
                break
            here = following
            seen.add(here.code)
        return here

    def ancestors(self, code: str) -> list[Territory]:
        """Return the territories above `code`, nearest first, pseudo-cities included."""
        here = self.by_code.get(code)
        above = []
        parent = here.parent_code if here else self._nearest_known(code)
        while parent and (up := self.by_code.get(parent)):
            above.append(up)
            parent = up.parent_code
        return above

    def children(self, code: str, *, on: date | None = None) -> list[Territory]:
        """Return what a board of `code` shows: its children in force, a pseudo-city's instead of itself."""
        found: list[Territory] = []
        for child_code in self.children_of.get(code, ()):
            child = self.by_code[child_code]
            if child.is_pseudo:
                found.extend(self.children(child.code, on=on))
            elif child.in_force(on):
                found.append(child)
        return found

    def name_path(self, code: str, *, language: str | None = None) -> list[str]:
        """Return the names from the top down to `code`, without pseudo-cities."""
        here = self.by_code.get(code)
        line = [*reversed(self.ancestors(code)), *([here] if here else [])]
        return [text.name_of(t.name, t.name_en, language) for t in line if not t.is_pseudo]

    def board_level(self, code: str) -> int:
        """Return the level at which a territory is led: a directly administered county is led as a city."""
        here = self.by_code[code]
        parent = self.by_code.get(here.parent_code)
        if here.level == Level.COUNTY and parent and parent.is_pseudo and not _is_municipal(parent):
            return int(Level.CITY)
        return here.level

    def find_by_name(self, name: str, within: str | None = None) -> list[Territory]:
        """Return the territories in force called `name` (with or without the word for their kind; Chinese or
        English; several words narrow from the top: "十堰 张湾"), below `within`; the highest level first."""
        words = name.replace("/", " ").replace("，", " ").replace(",", " ").split()
        if not words:
            return []
        found = self._named(name.strip(), within)
        if not found and len(words) > 1:
            above = [t.code for t in self._named(" ".join(words[:-1]), within)]
            above = above or [t.code for t in self.find_by_name(" ".join(words[:-1]), within)]
            found = [t for code in above for t in self._named(words[-1], code)]
        return found

    def one_by_name(self, name: str, within: str | None = None) -> Territory:
        """Return the one territory called `name`. Raises UnknownTerritory or AmbiguousTerritory.

        Of places one of which lies above the others that one is meant, and a county or higher before a
        street, a village or lower.
        """
        found = self.find_by_name(name, within)
        if not found:
            raise self._unknown(name)
        found = [t for t in found if t.level <= Level.COUNTY] or found
        top = [t for t in found if not any(t.code != o.code and t.code.startswith(o.code) for o in found)]
        if len(top) == 1:
            return top[0]
        listed = [{"code": t.code, "path": " ".join(self.name_path(t.code))} for t in top]
        raise AmbiguousTerritory(
            _("%(count)d territories are called “%(name)s”: %(list)s.")
            % {
                "count": len(top),
                "name": name,
                "list": "; ".join(f"{c['code']} {c['path']}" for c in listed[:LISTED]),
            },
            hint=_("Give the code, or the name of the territory above before it."),
            details={"candidates": listed},
        )

    def nearest(self, wanted: str, limit: int = NEAREST) -> list[Territory]:
        """Return the territories whose code or name is most like `wanted`."""
        if wanted.isascii() and any(c.isdigit() for c in wanted):
            return self._nearest_codes(wanted, limit)
        names = process.extract(
            wanted, self.by_name.keys(), scorer=fuzz.ratio, limit=limit * 2, score_cutoff=_LEAST_LIKE
        )
        scores = {code: score for name, score, _at in reversed(names) for code in self.by_name[name]}
        codes = sorted(scores, key=lambda code: (-scores[code], self.by_code[code].level, code))
        return [self.by_code[code] for code in codes[:limit]]

    def _nearest_codes(self, wanted: str, limit: int) -> list[Territory]:
        known = self._nearest_known(wanted)
        pool: Iterable[str] = self.children_of.get(known, ()) if known else ()
        pool = [*pool, known] if known else list(self.by_code)
        found = process.extract(wanted, pool, scorer=Levenshtein.distance, limit=limit)
        return [self.by_code[code] for code, *_rest in found]

    def _nearest_known(self, code: str) -> str:
        return next((code[:n] for n in range(len(code) - 1, 0, -1) if code[:n] in self.by_code), "")

    def _by_local_code(self, code: str) -> Territory | None:
        found = self.by_local_code.get(code, [])
        return self.by_code[found[0]] if len(found) == 1 else None

    def _named(self, name: str, within: str | None) -> list[Territory]:
        codes = self.by_name.get(name) or self.by_name.get(name.casefold()) or []
        found = [self.by_code[c] for c in codes if within is None or (c.startswith(within) and c != within)]
        return sorted((t for t in found if t.valid_to is None), key=lambda t: (t.level, t.code))

    def _unknown(self, code: str) -> UnknownTerritory:
        near = self.nearest(code)
        listed = [{"code": t.code, "path": " ".join(self.name_path(t.code))} for t in near]
        hint = ""
        if near:
            hint = _("Nearest: %(list)s.") % {"list": "; ".join(f"{c['code']} {c['path']}" for c in listed)}
        elif not self.by_code:
            hint = _("The territory tree is empty. Load one: bihuan territory load-builtin.")
        return UnknownTerritory(
            _("There is no territory “%(code)s”.") % {"code": code}, hint=hint, details={"nearest": listed}
        )


def _is_municipal(parent: Territory) -> bool:
    return parent.name in ("市辖区", "县")


_COLUMNS = (
    "code, name, name_en, level, kind, parent_code, valid_from, valid_to, successor_code, tz, geometry_tile, "
    "population"
)


def _read_tree() -> Tree:
    with connection.cursor() as cursor:  # thirty thousand rows: without the model, three times as quick
        cursor.execute(f"SELECT {_COLUMNS} FROM registry_territory ORDER BY code")
        rows = cursor.fetchall()
    tree = Tree(by_code={})
    for *columns, tile, population in rows:
        values = (*columns, tuple(json.loads(tile)) if tile else None, population)
        place = Territory(*values)
        tree.by_code[place.code] = place
        tree.children_of.setdefault(place.parent_code, []).append(place.code)
    return tree


def _local_code(code: str) -> str:
    """The last step of a made path: E06 of `E12.E06.`"""
    return code.rstrip(".").rpartition(".")[2]


#: Words for the kind that people leave out, longest first.
_KIND_WORDS = (
    "村村民委员会", "村民委员会", "社区居民委员会", "社区居委会", "居民委员会", "街道办事处", "村委会",
    "居委会", "办事处", "林区", "街道", "社区", "省", "市", "区", "县", "镇", "乡", "村",
)  # fmt: skip

#: What people call a unit by whose full name ends with the word of its committee.
_SHORT_KIND = {
    **dict.fromkeys(("社区居民委员会", "社区居委会", "居民委员会", "居委会"), "社区"),
    **dict.fromkeys(("村村民委员会", "村民委员会", "村委会"), "村"),
    "街道办事处": "街道",
}


def _spellings(place: Territory) -> set[str]:
    spellings = {place.name}
    for word in _KIND_WORDS:
        if place.name.endswith(word) and len(place.name) > len(word) + 1:
            stem = place.name[: -len(word)]
            spellings |= {stem, stem + _SHORT_KIND.get(word, "")}
            break
    if place.level <= Level.STREET and place.english:
        english = place.english.casefold()
        spellings |= {english, english.rsplit(" ", 1)[0]}
    return spellings


_tree: Stamped[Tree] = Stamped("territory", _read_tree)


def tree() -> Tree:
    """Return the tree as it is now. For many questions in a row take it once."""
    return _tree.get()


def resolve(code: str, on: date | None = None) -> Territory:
    """See `Tree.resolve`."""
    return tree().resolve(code, on)


def find(code: str) -> Territory | None:
    """Return the territory with exactly this code, or None."""
    return tree().find(code)


def children(code: str, *, on: date | None = None) -> list[Territory]:
    """See `Tree.children`."""
    return tree().children(code, on=on)


def ancestors(code: str) -> list[str]:
    """Return the codes above `code`, nearest first."""
    return [t.code for t in tree().ancestors(code)]


def name_path(code: str, *, language: str | None = None, separator: str = " ") -> str:
    """Return the names from the top down, such as "湖北省 十堰市 张湾区"."""
    return separator.join(tree().name_path(code, language=language))


def find_by_name(name: str, within: str | None = None) -> list[Territory]:
    """See `Tree.find_by_name`."""
    return tree().find_by_name(name, within)


def one_by_name(name: str, within: str | None = None) -> Territory:
    """See `Tree.one_by_name`."""
    return tree().one_by_name(name, within)


def level_of(code: str) -> int:
    """Return the level 1 to 7 of a code, or of the nearest known one above it (a grid not registered)."""
    t = tree()
    here = t.find(code)
    if here:
        return here.level
    above = t.ancestors(code)
    return min(above[0].level + 1, int(Level.UNIT)) if above else 0


def tz_of(code: str) -> str:
    """Return the time zone of a code, or of the nearest known one above it."""
    t = tree()
    here = t.find(code)
    if here:
        return here.tz
    above = t.ancestors(code)
    return above[0].tz if above else "Asia/Shanghai"


def in_scope_codes(codes: Sequence[str], lo: str) -> list[str]:
    """Return those of `codes` that lie at or below `lo`."""
    return [c for c in codes if lo <= c < lo + "~"]
