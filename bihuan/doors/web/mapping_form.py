"""The parts of a mapping that belong to no column: values that hold for every row, and what the list's own
names of places mean. Rows of a form in, checked values out; what was typed comes back with its error."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from django.http import QueryDict
from django.utils.translation import gettext as _

from bihuan.doors.exchange import jobs, words
from bihuan.doors.exchange.fields import FIELDS, LINKS, Field
from bihuan.doors.exchange.mapping import Mapping
from bihuan.doors.exchange.models import ImportJob
from bihuan.doors.web import evidence
from bihuan.doors.web.templatetags.bihuan import case_word
from bihuan.doors.web.words import reads_chinese
from bihuan.registry import territory
from bihuan.registry.errors import BihuanError

#: A constant is kept as text, so it can be given for fields that take one.
FIXED_KINDS: Final = ("code", "sex", "text")
ASKED_ABOVE: Final = "case.classification"  # has its own place on the page
SEXES: Final = ("F", "M", "O", "U")
BLANK: Final = 2  # empty rows to fill in
LOOKED_AT: Final = 200  # rows of the file in which unknown names of places are looked for
SUGGESTED: Final = 12
PLACE_RULES: Final = ("territory.unknown", "territory.fallback")


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the form: what it is about, what it says, and what is wrong with that.

    `choices` are the answers where they are few and known; `said` is the answer in words; `asked` marks a
    name of the file that nobody has explained yet."""

    n: int
    key: str = ""
    value: str = ""
    choices: Sequence[tuple[str, str]] = ()
    said: str = ""
    error: str = ""
    asked: bool = False


@dataclass(frozen=True, slots=True)
class Read:
    """What a form says: values by field and codes by name of a place, with the rows as they were typed."""

    constants: dict[str, str]
    names: dict[str, str]
    constant_rows: Sequence[Row]
    name_rows: Sequence[Row]

    @property
    def is_wrong(self) -> bool:
        return any(row.error for row in (*self.constant_rows, *self.name_rows))


def label_of(field: Field) -> str:
    return field.zh if reads_chinese() else field.en


def fixed_fields(kind: str) -> list[tuple[str, str]]:
    """The fields that a value may be given for once and for all."""
    fields = (f for f in jobs.choices(kind) if f.kind in FIXED_KINDS and f.key != ASKED_ABOVE)
    return [(field.key, label_of(field)) for field in fields]


def code_word(key: str, code: str) -> str:
    """A code of a field of the import in the reader's language."""
    name = key.rpartition(".")[2]
    found = evidence.word({"sample_result": "result", "exposure": "exposure_kind"}.get(name, name), code)
    return found if found != code else case_word(code)


def codes_of(key: str) -> list[tuple[str, str]]:
    field = FIELDS.get(key)
    if field is None or field.kind not in ("code", "sex"):
        return []
    return [(str(code), code_word(key, str(code))) for code in field.codes or SEXES]


# --- out: rows of the form ----------------------------------------------------------------------------


def constant_rows(base: Mapping) -> list[Row]:
    """A row for each constant of a mapping, and empty ones."""
    kept = [(key, value) for key, value in base.constants.items() if key != ASKED_ABOVE]
    rows = [_constant(n, key, value) for n, (key, value) in enumerate(kept)]
    return [*rows, *(Row(len(rows) + n) for n in range(BLANK))]


def _constant(n: int, key: str, value: str, error: str = "") -> Row:
    return Row(n, key, value, choices=codes_of(key), error=error)


def name_rows(base: Mapping, unknown: Iterable[str] = ()) -> list[Row]:
    """A row for each name that the mapping explains, for names of the file nobody knows, and empty ones."""
    rows = [_name(n, name, code) for n, (name, code) in enumerate(base.territory.names.items())]
    known = {row.key for row in rows}
    rows += [
        Row(len(rows) + n, name, asked=True)
        for n, name in enumerate(name for name in unknown if words.plain(name) not in known)
    ]
    return [*rows, *(Row(len(rows) + n) for n in range(BLANK))]


def _name(n: int, name: str, code: str, error: str = "") -> Row:
    found = territory.find(code) if code else None
    return Row(n, name, code, said=territory.name_path(found.code) if found else "", error=error)


def unknown_names(job: ImportJob, base: Mapping) -> list[str]:
    """Names of places in the first rows of the file that lead nowhere, as they stand there."""
    if base.kind == LINKS:
        return []
    try:
        found = jobs.preview(job, base, n=LOOKED_AT)
    except BihuanError:
        return []
    names = {e.value: None for row in found.rows for e in row.findings if e.rule in PLACE_RULES and e.value}
    return list(names)[:SUGGESTED]


# --- in: what was typed -------------------------------------------------------------------------------


def read(posted: QueryDict, kind: str) -> Read:
    """Read both parts of the form. A row without a field, or without a name, is gone."""
    constants = [
        _read_constant(n, key, value, kind)
        for n, key, value in _pairs(posted, "constant-key", "constant-value")
        if key
    ]
    names = [
        _read_name(n, name, place)
        for n, name, place in _pairs(posted, "place-name", "place-code")
        if name and place
    ]
    return Read(
        {row.key: row.value for row in constants if not row.error},
        {words.plain(row.key): row.value for row in names if not row.error},
        [*constants, *(Row(len(constants) + n) for n in range(BLANK))],
        [*names, *(Row(len(names) + n) for n in range(BLANK))],
    )


def _pairs(posted: QueryDict, first: str, second: str) -> Iterable[tuple[int, str, str]]:
    keys, values = posted.getlist(first), posted.getlist(second)
    for n, (key, value) in enumerate(zip(keys, values, strict=False)):
        yield n, key.strip(), value.strip()


def _read_constant(n: int, key: str, value: str, kind: str) -> Row:
    if key not in dict(fixed_fields(kind)):
        return _constant(n, key, value, _("Choose a field of the list."))
    if not value:
        return _constant(n, key, value, _("Say what holds for every row, or leave out the field."))
    choices = codes_of(key)
    if not choices:
        return _constant(n, key, value)
    code = next(
        (code for code, text in choices if value.casefold() in (code.casefold(), text.casefold())), ""
    )
    if code:
        return _constant(n, key, code)
    return _constant(n, key, value, _("One of: %s.") % ", ".join(text for _code, text in choices))


def _read_name(n: int, name: str, place: str) -> Row:
    try:
        found = territory.find(place) or territory.one_by_name(place)
    except BihuanError as wrong:
        return _name(n, name, place, f"{wrong} {wrong.hint or ''}".strip())
    return _name(n, name, found.code)
