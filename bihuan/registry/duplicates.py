"""Is this person known already? Search on entry, on import, and for a record that is there.

Candidates come from PostgreSQL by exact keys with B-tree indexes (no trigram extension is needed):

1. the same document number (keyed hash),
2. the same telephone number (keyed hash),
3. a name that sounds the same or has the same words, born in the same year or one beside it,
4. such a name where either birth is unknown, within the county,
5. the same birth date and a surname that starts alike (finds a mistyped given name).

Each candidate is then judged by `likeness.compare`. Reports without a told name are not compared: of line
lists that hold age, sex and a local number two rows are never each other's duplicate, and their local ids
alone decide (see `likeness`). The search sees what the scope sees; the system sees all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, groupby
from typing import Any

from django.db import connection

from bihuan.registry import clock, people, scope
from bihuan.registry.errors import NotFound
from bihuan.registry.likeness import SUGGEST, SURE, Likeness, Reason, compare
from bihuan.registry.models.people import DuplicateDecision, DuplicateVerdict, Person
from bihuan.registry.people import PersonInput, Prepared

_PER_QUERY = 1000
_PER_BLOCK = 200  # a block larger than this tells nobody apart
_COUNTY_DIGITS = 6


@dataclass(frozen=True, slots=True)
class Match:
    """A person that is known and looks like the one asked for.

    `person_id` stands for all records joined with it (its root); `record_id` is the one that matched.
    `score` 70 to 100, 100 only for the same document number; `why` lists the points.
    """

    person_id: int
    record_id: int
    score: int
    why: tuple[Reason, ...]

    @property
    def is_sure(self) -> bool:
        return self.score == SURE


def find_duplicates(person: PersonInput, *, at_least: int = SUGGEST) -> list[Match]:
    """Known people this report may be of, best first. A malformed report is an `Invalid` error."""
    return find_duplicates_bulk([person], at_least=at_least)[0]


def find_duplicates_bulk(inputs: Sequence[PersonInput], *, at_least: int = SUGGEST) -> list[list[Match]]:
    """For each report, in order, the known people it may be of, best first."""
    return search(people.prepare_many(inputs, on=clock.today()), at_least=at_least)


def search(prepared: Sequence[Prepared], *, at_least: int = SUGGEST) -> list[list[Match]]:
    """`find_duplicates_bulk` for reports that are prepared already (an import registers them next)."""
    return _search([_likeness(ready) for ready in prepared], at_least)


@dataclass(frozen=True, slots=True)
class Twin:
    """Two reports of one batch, by their place in it (`first` < `second`), that may be one person."""

    first: int
    second: int
    score: int
    why: tuple[Reason, ...]


def search_within(prepared: Sequence[Prepared], *, at_least: int = SUGGEST) -> list[Twin]:
    """The reports of one batch that may be of one person, by the same keys as the search in the database."""
    asked = [_likeness(ready) for ready in prepared]
    blocks: dict[tuple, list[int]] = {}
    for row, report in enumerate(asked):
        for key in _keys_of(report):
            blocks.setdefault(key, []).append(row)
    pairs = {pair for rows in blocks.values() for pair in combinations(rows[:_PER_BLOCK], 2)}
    judged = ((a, b, *compare(asked[a], asked[b])) for a, b in sorted(pairs))
    return [Twin(a, b, score, why) for a, b, score, why in judged if score >= at_least]


def _keys_of(report: Likeness) -> Iterator[tuple]:
    if report.id_index:
        yield ("id", report.id_index)
    if report.phone_index:
        yield ("phone", report.phone_index)
    if report.key:
        yield ("name", report.key)
    if report.key and report.date_birth:
        yield ("birth", report.date_birth, report.key[:2])


def find_duplicates_of(person_id: int, *, at_least: int = SUGGEST) -> list[Match]:
    """Other known people this record may be, without those decided to be different."""
    row = Person.objects.filter(id=person_id).values_list(*_COLUMNS).first()
    if row is None:
        raise NotFound(f"Person {person_id} is not there.", code="unknown-person")
    different = differing_from(person_id)
    matches = _search([_read(row[2:])], at_least)[0]
    return [m for m in matches if m.person_id != row[1] and m.record_id not in different]


def find_duplicates_of_many(person_ids: Sequence[int], *, at_least: int = SUGGEST) -> dict[int, list[Match]]:
    """`find_duplicates_of` for many records at once (after an import); only those with a match."""
    rows = list(Person.objects.filter(id__in=person_ids).order_by("id").values_list(*_COLUMNS))
    found = _search([_read(row[2:]) for row in rows], at_least)
    different = _decided_pairs([row[0] for row in rows])
    kept = {
        row[0]: [m for m in matches if m.person_id != row[1] and _pair(row[0], m.record_id) not in different]
        for row, matches in zip(rows, found, strict=True)
    }
    return {person_id: matches for person_id, matches in kept.items() if matches}


def differing_from(person_id: int) -> frozenset[int]:
    """Records that were decided not to be the same person as this one."""
    return frozenset(a if b == person_id else b for a, b in _decided_pairs([person_id]))


def _decided_pairs(person_ids: Sequence[int]) -> frozenset[tuple[int, int]]:
    decided = DuplicateDecision.objects.filter(verdict=DuplicateVerdict.DIFFERENT)
    rows = [*decided.filter(low_id__in=person_ids).values_list("low_id", "high_id")]
    rows += decided.filter(high_id__in=person_ids).values_list("low_id", "high_id")
    return frozenset(rows)


def _pair(a: int, b: int) -> tuple[int, int]:
    return (a, b) if a < b else (b, a)


_COLUMNS = (
    "id",
    "root_id",
    "name",
    "name_key",
    "name_pinyin",
    "sex",
    "date_birth",
    "birth_year",
    "id_kind",
    "id_index",
    "phone_index",
    "address",
    "territory_code",
)

_BLOCKS = (
    "i.id_index <> '' AND p.id_index = i.id_index AND p.id_index <> ''",
    "i.phone_index <> '' AND p.phone_index = i.phone_index AND p.phone_index <> ''",
    "i.name_key <> '' AND p.name_key = i.name_key"
    " AND p.birth_year BETWEEN i.birth_year - 1 AND i.birth_year + 1",
    "i.name_key <> '' AND p.name_key = i.name_key AND p.birth_year IS NULL"
    " AND starts_with(p.territory_code, i.county)",
    "i.name_key <> '' AND i.birth_year IS NULL AND p.name_key = i.name_key"
    " AND starts_with(p.territory_code, i.county)",
    "i.name_key <> '' AND p.date_birth = i.date_birth AND p.name_key >= left(i.name_key, 2)"
    " AND p.name_key < left(i.name_key, 2) || '~'",
)


def _sql(bounded: bool) -> str:
    within = " AND p.territory_code >= %(lo)s AND p.territory_code < %(hi)s" if bounded else ""
    blocks = " UNION ALL ".join(
        f"SELECT i.i, b.id FROM input i CROSS JOIN LATERAL (SELECT p.id FROM registry_person p"
        f" WHERE {block}{within} LIMIT {_PER_BLOCK}) b"
        for block in _BLOCKS
    )
    columns = ", ".join(f"p.{column}" for column in _COLUMNS)
    return f"""
        WITH input AS MATERIALIZED (
            SELECT * FROM unnest(%(i)s::int[], %(id_index)s::text[], %(phone_index)s::text[],
                %(name_key)s::text[], %(birth_year)s::smallint[], %(date_birth)s::date[], %(county)s::text[])
                AS t (i, id_index, phone_index, name_key, birth_year, date_birth, county)
        ), pair AS MATERIALIZED (SELECT DISTINCT i, id FROM ({blocks}) AS found)
        SELECT pair.i, {columns} FROM pair JOIN registry_person p ON p.id = pair.id ORDER BY pair.i
    """


def _search(asked: Sequence[Likeness], at_least: int) -> list[list[Match]]:
    answers: list[list[Match]] = []
    for start in range(0, len(asked), _PER_QUERY):
        part = asked[start : start + _PER_QUERY]
        found: list[list[Match]] = [[] for _ in part]
        for position, rows in groupby(_candidates(part), key=lambda row: row[0]):
            found[position] = _matches(part[position], rows, at_least)
        answers += found
    return answers


def _candidates(asked: Sequence[Likeness]) -> Iterator[tuple]:
    bounds = scope.bounds()
    if bounds is None or not asked:
        return iter(())
    lo, hi = bounds
    values: dict[str, Any] = {
        "i": list(range(len(asked))),
        "id_index": [a.id_index for a in asked],
        "phone_index": [a.phone_index for a in asked],
        "name_key": [a.key for a in asked],
        "birth_year": [a.birth_year for a in asked],
        "date_birth": [a.date_birth for a in asked],
        "county": [a.territory_code[:_COUNTY_DIGITS] for a in asked],
        "lo": lo,
        "hi": hi,
    }
    with connection.cursor() as cursor:
        cursor.execute(_sql(bounded=lo != ""), values)
        return iter(cursor.fetchall())


def _matches(asked: Likeness, rows: Iterable[tuple], at_least: int) -> list[Match]:
    """The best record of each person that scores enough."""
    best: dict[int, Match] = {}
    for _i, record_id, root_id, *rest in rows:
        score, why = compare(asked, _read(rest))
        if score >= at_least and (root_id not in best or best[root_id].score < score):
            best[root_id] = Match(root_id, record_id, score, why)
    return sorted(best.values(), key=lambda match: (-match.score, match.person_id))


def _read(columns: Sequence) -> Likeness:
    return Likeness(*columns)


def _likeness(ready: Prepared) -> Likeness:
    return Likeness(
        name=ready.name,
        key=ready.key,
        pinyin=ready.keys.pinyin,
        sex=ready.sex,
        date_birth=ready.date_birth,
        birth_year=ready.birth_year,
        id_kind=ready.id_kind,
        id_index=ready.id_index,
        phone_index=ready.phone_index,
        address=ready.given.address.strip(),
        territory_code=ready.given.territory_code,
    )
