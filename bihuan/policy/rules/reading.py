"""From YAML to packs and vocabulary, collecting every problem instead of stopping at the first."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path as File
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from bihuan.policy.errors import nearest
from bihuan.policy.rules.frozen import FrozenDict, freeze
from bihuan.policy.rules.keys import TYPES, Key, Labels, check_value, shown
from bihuan.policy.rules.pack import (
    ANYWHERE,
    BASES,
    CONFIDENCES,
    TRANSITIONS,
    LoopText,
    Pack,
    Provenance,
    RuleText,
    Value,
)
from bihuan.policy.rules.problems import Problem
from bihuan.policy.rules.source import Document, Path, read_file

PACK_FIELDS = (
    "pack", "extends", "title", "about", "territory", "effective", "transition", "sunset",
    "include", "values", "rules", "loops",
)  # fmt: skip
INCLUDE_FIELDS = ("values", "rules", "loops")
VALUE_FIELDS = (
    "value",
    "unit",
    "source",
    "clause",
    "confidence",
    "basis",
    "says",
    "says_no",
    "note",
    "from",
    "to",
)
RULE_FIELDS = ("facts", "expr", "title", "source", "clause", "confidence", "basis", "note", "from", "to")
KEY_FIELDS = (
    "type", "title", "says", "says_no", "unit", "allowed", "rows", "lowest", "highest", "also", "counts",
)  # fmt: skip
VOCABULARY = ("keys", "sources", "areas", "facts")
DEFAULT_TZ = "Asia/Shanghai"

T = TypeVar("T")


@dataclass
class Vocabulary:
    """What packs may name: keys, sources, areas (an area is the code prefixes it covers) and subjects'
    facts."""

    keys: dict[str, Key] = field(default_factory=dict)
    sources: dict[str, Labels] = field(default_factory=dict)
    areas: dict[str, tuple[str, ...]] = field(default_factory=dict)
    facts: dict[str, dict[str, Mapping[str, Any]]] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)


@dataclass
class Reader:
    """Reads one document; `problems` fills up as it goes."""

    document: Document
    vocabulary: Vocabulary
    problems: list[Problem] = field(default_factory=list)

    # --- saying what is wrong ---

    def problem(
        self, path: Path, code: str, template: str, /, severity: str = "error", **params: Any
    ) -> None:
        key = ".".join(str(p) for p in path)
        line = self.document.line_of(path)
        self.problems.append(Problem(self.document.file, line, key, code, template, params, severity))

    def mapping(self, data: Any, path: Path) -> dict[str, Any]:
        if data is None:
            return {}
        if isinstance(data, dict):
            return data
        self.problem(path, "wrong-type", "{value} is not a mapping.", value=shown(data))
        return {}

    def known_fields(self, data: Mapping[str, Any], path: Path, allowed: Iterable[str]) -> None:
        allowed = tuple(allowed)
        for name in data:
            if name not in allowed:
                self.problem(
                    (*path, name), "unknown-key", "Unknown key {name}. Allowed: {allowed}.",
                    name=name, allowed=", ".join(allowed),
                )  # fmt: skip

    def one_of(self, data: Any, path: Path, allowed: Iterable[str], default: str) -> str:
        allowed = tuple(allowed)
        if data is None:
            return default
        if data in allowed:
            return str(data)
        self.problem(
            path, "not-allowed", "{value} is not allowed here. Allowed: {allowed}.",
            value=shown(data), allowed=", ".join(allowed),
        )  # fmt: skip
        return default

    def labels(self, data: Any, path: Path, *, required: bool = True) -> Labels:
        if data is None and not required:
            return FrozenDict()
        good = isinstance(data, dict) and set(data) == {"zh", "en"}
        if good and all(isinstance(v, str) and v.strip() for v in data.values()):
            return freeze(data)
        self.problem(path, "not-a-label", "Write a text in both languages: {{zh: …, en: …}}.")
        return freeze({"zh": path[-1] if path else "", "en": path[-1] if path else ""})

    def date(self, data: Any, path: Path) -> dt.date | None:
        if data is None or (isinstance(data, dt.date) and not isinstance(data, dt.datetime)):
            return data
        self.problem(path, "bad-date", "{value} is not a date (YYYY-MM-DD).", value=shown(data))
        return None

    def period(self, data: Mapping[str, Any], path: Path) -> tuple[dt.date | None, dt.date | None]:
        start, end = self.date(data.get("from"), (*path, "from")), self.date(data.get("to"), (*path, "to"))
        if start and end and end < start:
            self.problem(
                (*path, "to"),
                "bad-date",
                "It ends on {end}, before it begins on {start}.",
                end=end,
                start=start,
            )
        return start, end

    def text(self, data: Any, path: Path, default: str = "") -> str:
        if data is None:
            return default
        if isinstance(data, str):
            return data
        if isinstance(data, int) and not isinstance(data, bool):
            return str(data)
        self.problem(path, "wrong-type", "{value} is not text.", value=shown(data))
        return default

    # --- packs ---

    def pack(self) -> Pack | None:
        data = self.mapping(self.document.data, ())
        self.known_fields(data, (), PACK_FIELDS)
        pack_id = self.text(data.get("pack"), ("pack",))
        if not pack_id:
            self.problem(("pack",), "missing", "The pack has no id. Write `pack: <id>`.")
            return None
        if "territory" not in data:
            self.problem(
                ("territory",),
                "missing",
                'The pack names no territory. Write a code, an area, or "" for anywhere.',
            )
        territory = self.text(data.get("territory"), ("territory",))
        effective = self.mapping(data.get("effective"), ("effective",))
        self.known_fields(effective, ("effective",), ("from", "to", "tz"))
        start, end = self.period(effective, ("effective",))
        parts = _Parts(self, pack_id, territory)
        parts.add(self, data)
        for included in self._included(data):
            parts.add(included, included.mapping(included.document.data, ()))
            self.problems += included.problems
        return Pack(
            id=pack_id,
            extends=self.text(data.get("extends"), ("extends",)),
            title=self.labels(data.get("title"), ("title",)),
            territory=territory,
            date_from=start,
            date_to=end,
            tz=self._tz(effective.get("tz")),
            transition=self.one_of(data.get("transition"), ("transition",), TRANSITIONS, "keep"),
            sunset=self.date(data.get("sunset"), ("sunset",)),
            about=self.labels(data.get("about"), ("about",), required=False),
            values={k: tuple(v) for k, v in parts.values.items()},
            rules={k: tuple(v) for k, v in parts.rules.items()},
            loops=parts.loops,
            file=self.document.file,
            line=self.document.line_of(("pack",)),
        )

    def _tz(self, data: Any) -> str:
        name = self.text(data, ("effective", "tz"), DEFAULT_TZ)
        try:
            ZoneInfo(name)
        except (ValueError, OSError, LookupError):
            self.problem(
                ("effective", "tz"),
                "bad-zone",
                "There is no time zone {name}. Write one such as Asia/Shanghai.",
                name=name,
            )
            return DEFAULT_TZ
        return name

    def _included(self, data: Mapping[str, Any]) -> Iterable[Reader]:
        names = data.get("include") or []
        if not isinstance(names, list):
            self.problem(("include",), "wrong-type", "{value} is not a list.", value=shown(names))
            return
        folder = File(self.document.file).parent
        for n, name in enumerate(names):
            file = (folder / str(name)).resolve()
            if not file.is_relative_to(folder.resolve()):
                self.problem(
                    ("include", n), "outside", "{name} lies outside the folder of the pack.", name=name
                )
                continue
            if not file.is_file():
                self.problem(
                    ("include", n), "cannot-read", "The included file {name} does not exist.", name=name
                )
                continue
            document = read_file(file, shown_as=str(folder / str(name)))
            reader = Reader(document, self.vocabulary, list(document.problems))
            reader.known_fields(reader.mapping(document.data, ()), (), INCLUDE_FIELDS)
            yield reader

    # --- what a value and a rule have in common ---

    def provenance(self, data: Mapping[str, Any], path: Path, *, pack: str, territory: str) -> Provenance:
        start, end = self.period(data, path)
        ids = self._source_ids(data.get("source"), path)
        return Provenance(
            pack=pack,
            territory=territory,
            source=self._source_labels(ids),
            source_ids=ids,
            clause=self._clause(data.get("clause"), (*path, "clause")),
            basis=self._basis(data, path),
            note=self.labels(data.get("note"), (*path, "note"), required=False),
            date_from=start,
            date_to=end,
            file=self.document.file,
            line=self.document.line_of(path),
        )

    def _clause(self, data: Any, path: Path) -> str:
        if isinstance(data, list):
            return ", ".join(self.text(c, path) for c in data)
        return self.text(data, path)

    def _basis(self, data: Mapping[str, Any], path: Path) -> str:
        basis = self.one_of(data.get("basis"), (*path, "basis"), BASES, "default")
        confidence = self.one_of(data.get("confidence"), (*path, "confidence"), CONFIDENCES, BASES[basis][0])
        if "confidence" not in data:
            self.problem(
                path,
                "missing",
                "The confidence is missing. Write `confidence: verified` or `confidence: unverified`.",
            )
        elif "basis" not in data:
            basis = "text" if confidence == "verified" else "default"
        elif BASES[basis][0] != confidence:
            self.problem(
                (*path, "basis"), "not-allowed", "A value with basis {basis} is {right}, not {wrong}.",
                basis=basis, right=BASES[basis][0], wrong=confidence,
            )  # fmt: skip
        return basis

    def _source_ids(self, data: Any, path: Path) -> tuple[str, ...]:
        ids = [data] if isinstance(data, str) else data
        if not ids or not isinstance(ids, list) or not all(isinstance(i, str) for i in ids):
            self.problem(
                path, "no-source", "The source is missing. Write `source: <id>`, an id of sources.yaml."
            )
            return ()
        for source in ids:
            if source not in self.vocabulary.sources:
                self.problem(
                    (*path, "source"), "unknown-source", "There is no source {name}. Nearest: {names}.",
                    name=source, names=", ".join(nearest(source, self.vocabulary.sources)),
                )  # fmt: skip
        return tuple(ids)

    def _source_labels(self, ids: Iterable[str]) -> Labels:
        known = [self.vocabulary.sources[i] for i in ids if i in self.vocabulary.sources]
        return freeze({lang: "; ".join(labels[lang] for labels in known) for lang in ("zh", "en")})


class _Parts:
    """Collects a pack's own file and its included files."""

    def __init__(self, reader: Reader, pack: str, territory: str) -> None:
        self.pack, self.territory, self.vocabulary = pack, territory, reader.vocabulary
        self.values: dict[str, list[Value]] = {}
        self.rules: dict[str, list[RuleText]] = {}
        self.loops: dict[str, LoopText] = {}

    def add(self, reader: Reader, data: Mapping[str, Any]) -> None:
        for key, entry in reader.mapping(data.get("values"), ("values",)).items():
            self._variants(reader, self.values, ("values", key), entry, self._value)
        for key, entry in reader.mapping(data.get("rules"), ("rules",)).items():
            self._variants(reader, self.rules, ("rules", key), entry, self._rule)
        for name, definition in reader.mapping(data.get("loops"), ("loops",)).items():
            self._loop(reader, name, definition)

    def _variants(self, reader: Reader, into: dict[str, list[T]], path: Path, entry: Any, read: Any) -> None:
        """One entry, or a list of dated ones."""
        name = str(path[-1])
        if name in into:
            reader.problem(path, "twice", "{key} is given twice here.", key=name)
            return
        listed = entry if isinstance(entry, list) else [entry]
        found = []
        for n, item in enumerate(listed):
            place = (*path, n) if isinstance(entry, list) else path
            one = read(reader, name, reader.mapping(item, place), place)
            if one is not None:
                found.append(one)
        found.sort(key=lambda one: one.provenance.date_from or dt.date.min)
        for before, after in pairwise(found):
            ends, begins = before.provenance.date_to or dt.date.max, after.provenance.date_from or dt.date.min
            if before.provenance.date_from == after.provenance.date_from or (
                before.provenance.date_to is not None and ends >= begins
            ):
                reader.problem(path, "overlap", "Two variants of {key} hold on the same day.", key=name)
        if found:
            into[name] = found

    def _value(self, reader: Reader, name: str, data: Mapping[str, Any], path: Path) -> Value | None:
        key = self.vocabulary.keys.get(self.vocabulary.aliases.get(name, name))
        if key is None:
            names = ", ".join(nearest(name, self.vocabulary.keys))
            reader.problem(
                path, "unknown-key", "There is no policy key {key}. Nearest: {names}.", key=name, names=names
            )
            return None
        if key.name != name:
            reader.problem(path, "alias", "{key} is another name; write {name}.", key=name, name=key.name)
        reader.known_fields(data, path, VALUE_FIELDS)
        if "value" not in data:
            reader.problem(path, "missing", "The value is missing. Write `value: …`.")
            return None
        value = data["value"]
        complaint = check_value(key, value)
        if complaint:
            template, params = complaint
            reader.problem((*path, "value"), "wrong-value", template, **params)
        provenance = reader.provenance(data, path, pack=self.pack, territory=self.territory)
        if complaint:
            return None
        return Value(
            key=key.name,
            value=freeze(value),
            unit=reader.text(data.get("unit"), (*path, "unit"), key.unit or TYPES[key.type].unit),
            pack=self.pack,
            source=provenance.source,
            clause=provenance.clause,
            confidence=provenance.confidence,
            says=self._says(reader, key, data, path),
            provenance=provenance,
            spec=key,
        )

    def _says(self, reader: Reader, key: Key, data: Mapping[str, Any], path: Path) -> Labels:
        negative = not data["value"]  # false, 0, an empty list
        own = data.get("says_no" if negative and "says_no" in data else "says")
        if own is not None:
            return reader.labels(own, (*path, "says"))
        common = key.says_no if negative and key.says_no else key.says
        if common is None:
            reader.problem(path, "missing", "The sentence is missing. Write `says: {{zh: …, en: …}}`.")
            return freeze({"zh": "{value}", "en": "{value}"})
        return common

    def _rule(self, reader: Reader, name: str, data: Mapping[str, Any], path: Path) -> RuleText | None:
        reader.known_fields(data, path, RULE_FIELDS)
        expr, subject = data.get("expr"), data.get("facts")
        if not isinstance(expr, str) or not expr.strip():
            reader.problem(path, "missing", "The expression is missing. Write `expr: …`.")
            return None
        if subject not in self.vocabulary.facts:
            reader.problem(
                (*path, "facts"), "not-allowed", "{value} is not allowed here. Allowed: {allowed}.",
                value=shown(subject), allowed=", ".join(self.vocabulary.facts),
            )  # fmt: skip
            return None
        provenance = reader.provenance(data, path, pack=self.pack, territory=self.territory)
        return RuleText(
            key=name,
            subject=str(subject),
            expr=expr,
            pack=self.pack,
            source=provenance.source,
            clause=provenance.clause,
            confidence=provenance.confidence,
            title=reader.labels(data.get("title"), (*path, "title")),
            provenance=provenance,
        )

    def _loop(self, reader: Reader, name: str, definition: Any) -> None:
        path: Path = ("loops", name)
        if name in self.loops:
            reader.problem(path, "twice", "{key} is given twice here.", key=name)
            return
        body = reader.mapping(definition, path)
        lines = {p[2:]: n for p, n in reader.document.lines.items() if p[:2] == path}
        line = reader.document.line_of(path)
        self.loops[name] = LoopText(name, body, self.pack, reader.document.file, line, lines)


# --- vocabulary -------------------------------------------------------------------------------------


def read_vocabulary(reader: Reader) -> None:
    """Add the keys, sources, areas and facts of one file to the reader's vocabulary."""
    data = reader.mapping(reader.document.data, ())
    reader.known_fields(data, (), VOCABULARY)
    vocabulary = reader.vocabulary
    for name, entry in reader.mapping(data.get("keys"), ("keys",)).items():
        key = _read_key(reader, name, reader.mapping(entry, ("keys", name)), ("keys", name))
        if key is not None:
            vocabulary.keys[name] = key
            vocabulary.aliases.update(dict.fromkeys(key.also, name))
    for name, entry in reader.mapping(data.get("sources"), ("sources",)).items():
        vocabulary.sources[name] = reader.labels(entry, ("sources", name))
    for name, entry in reader.mapping(data.get("areas"), ("areas",)).items():
        vocabulary.areas[name] = _read_area(reader, entry, ("areas", name))
    for name, entry in reader.mapping(data.get("facts"), ("facts",)).items():
        vocabulary.facts[name] = reader.mapping(entry, ("facts", name))


def _read_area(reader: Reader, entry: Any, path: Path) -> tuple[str, ...]:
    codes = reader.mapping(entry, path).get("codes")
    if isinstance(codes, list) and all(isinstance(c, str) and c for c in codes):
        return tuple(codes)
    reader.problem(path, "wrong-type", "An area needs its codes: a list of texts in quotes.")
    return ()


def _read_key(reader: Reader, name: str, data: Mapping[str, Any], path: Path) -> Key | None:
    reader.known_fields(data, path, KEY_FIELDS)
    kind = data.get("type")
    if kind not in TYPES:
        reader.problem(
            (*path, "type"), "not-allowed", "{value} is not allowed here. Allowed: {allowed}.",
            value=shown(kind), allowed=", ".join(TYPES),
        )  # fmt: skip
        return None
    if kind in ("choice", "choices", "matrix") and not data.get("allowed"):
        reader.problem(path, "missing", "A key of type {kind} needs `allowed`.", kind=kind)
    return Key(
        name=name,
        type=str(kind),
        title=reader.labels(data.get("title"), (*path, "title")),
        says=reader.labels(data["says"], (*path, "says")) if "says" in data else None,
        says_no=reader.labels(data["says_no"], (*path, "says_no")) if "says_no" in data else None,
        unit=reader.text(data.get("unit"), (*path, "unit")),
        allowed=_read_words(reader, data, path, "allowed"),
        rows=_read_words(reader, data, path, "rows"),
        lowest=data.get("lowest"),
        highest=data.get("highest"),
        also=tuple(data.get("also") or ()),
        counts=reader.text(data.get("counts"), (*path, "counts")),
    )


def _read_words(reader: Reader, data: Mapping[str, Any], path: Path, name: str) -> dict[str, Labels]:
    words = reader.mapping(data.get(name), (*path, name))
    return {word: reader.labels(labels, (*path, name, word)) for word, labels in words.items()}


def is_pack(data: Any) -> bool:
    return isinstance(data, dict) and any(name in data for name in ("pack", "extends", "effective", "values"))


def is_vocabulary(data: Any) -> bool:
    return isinstance(data, dict) and "pack" not in data and any(name in data for name in VOCABULARY)


__all__ = ["ANYWHERE", "Reader", "Vocabulary", "is_pack", "is_vocabulary", "read_vocabulary"]
