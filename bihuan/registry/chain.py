"""The audit chain: proof that history, the access log and the event log were not rewritten.

`seal` hashes all new rows of every chained table into one block, which also holds the hash of the block
before. `verify` computes all of it again and names the first rows that were altered, deleted or put in.

What is chained: every history table, every table of ours that says `append_only = True`, and what other
rooms name by `register_chained`. A row is hashed as the text of its columns (fixed settings, so that any
PostgreSQL 15+ gives the same); columns a shredder may empty enter through a salted commitment, so that a
shredded row stays provable, and is accepted as empty only if a shredding entry names it.

Which rows are new. Keys come from sequences, and a transaction may commit a low key after a higher one.
Every key up to a table's highest was drawn by a transaction that had begun by then. So `seal` notes the
highest keys, waits until every transaction begun before that moment has ended, and only then reads up to
those keys: nothing can appear below them any more. If one goes on too long, nothing is sealed and the result
says what holds it up; the next seal takes the rows. (Sequences must not cache: PostgreSQL's default.)

A block lists its rows by chunks of a thousand keys, so that verify can name a small range. Its `mac` is keyed
by the field key, which is not in the database: whoever owns only the database cannot forge a block. Cutting
off the newest blocks can be seen only from outside: keep the head hash that `seal` prints, and give it to
`verify`.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from django.apps import apps
from django.db import connection, transaction
from django.db.models import Model

from bihuan.registry import clock
from bihuan.registry.models import ChainBlock
from bihuan.registry.secrets import keyring

_START = "0" * 64
_CHUNK = 1000
_LOCK = 5_044_202
_REDACTION = ("salt", "commitment")


@dataclass(frozen=True, slots=True)
class Chained:
    """A table under the chain. `columns` None: all it has when it is sealed. `key`: an increasing bigint."""

    table: str
    columns: tuple[str, ...] | None = None
    key: str = "id"
    personal: tuple[str, ...] = ()
    subject: str = ""


@dataclass(frozen=True, slots=True)
class SealResult:
    """What a seal did. `number` None: no new rows, or held up by a transaction (since `waiting_since`)."""

    number: int | None
    rows: int
    head: str
    waiting_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Breach:
    """Where the chain breaks: block, table, inclusive key range, and what is wrong."""

    kind: Literal["altered", "deleted", "inserted", "shredded_without_record", "block", "key", "head", "live"]
    block: int
    table: str = ""
    first: int = 0
    last: int = 0
    message: str = ""


@dataclass(slots=True)
class VerifyResult:
    """`rows` proven, `unsealed` newer rows, `breaches` in the order of the chain, `notes` for the reader."""

    blocks: int = 0
    rows: int = 0
    unsealed: int = 0
    head: str = _START
    breaches: list[Breach] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return not self.breaches


_registered: dict[str, Chained] = {}


def register_chained(
    table: str, columns: Sequence[str] | None = None, *, key: str = "id", personal: Sequence[str] = ()
) -> None:
    """Put a table of another room under the chain (called from its `AppConfig.ready`). Rows must be
    append-only. A table with `personal` columns needs `salt` and `commitment` (see `models/history.py`)."""
    _registered[table] = Chained(
        table, tuple(columns) if columns else None, key, tuple(personal), subject=key
    )


def chained_tables() -> dict[str, Chained]:
    """All tables under the chain by name."""
    found = {spec.table: spec for spec in map(_spec_of, apps.get_models()) if spec}
    return {table: (found | _registered)[table] for table in sorted(found | _registered)}


def _spec_of(model: type[Model]) -> Chained | None:
    if model is ChainBlock:
        return None
    if getattr(model, "pgh_tracked_model", None):
        return Chained(model._meta.db_table, None, "pgh_id", personal_columns(model), "pgh_obj_id")
    if getattr(model, "append_only", False) and model._meta.pk is not None:
        return Chained(model._meta.db_table, None, str(model._meta.pk.column))
    return None


def personal_columns(event_model: type[Model]) -> tuple[str, ...]:
    """The columns of a history table that the shredder empties, in the order in which they are hashed."""
    named = set(getattr(event_model, "personal_fields", ()))
    return tuple(sorted(str(f.column) for f in event_model._meta.concrete_fields if f.name in named))


# --- sealing ---------------------------------------------------------------------------------------


def seal(now: datetime | None = None, *, wait_seconds: float = 10.0) -> SealResult:
    """Seal all rows that are final into a new block. `wait_seconds`: how long to wait for transactions that
    began before. Two seals at once wait for each other. Run it as the owner of the tables."""
    with transaction.atomic(), _fixed_settings():
        _lock()
        last = ChainBlock.objects.order_by("-number").first()
        head = last.hash if last else _START
        heads: dict[str, int] = dict(last.content["heads"]) if last else {}
        new = _new_tops(heads)
        blocking = _wait_for_older(wait_seconds) if new else None
        if blocking is not None or not new:
            return SealResult(None, 0, head, blocking)
        entries = [entry for spec, top in new if (entry := _entry(spec, heads.get(spec.table, 0), top))]
        if not entries:
            return SealResult(None, 0, head)
        heads |= {entry["table"]: entry["to"] for entry in entries}
        block = _write(last, {"tables": entries, "heads": heads}, now or clock.now())
    return SealResult(block.number, sum(entry["rows"] for entry in entries), block.hash)


def _lock() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])


def _new_tops(heads: dict[str, int]) -> list[tuple[Chained, int]]:
    """The tables that have rows above their head, with their highest key at this moment."""
    tops = []
    for spec in chained_tables().values():
        with connection.cursor() as cursor:
            cursor.execute(f'SELECT max("{spec.key}") FROM "{spec.table}"')
            top = cursor.fetchone()[0]
        if top is not None and top > heads.get(spec.table, 0):
            tops.append((spec, top))
    return tops


_OLDEST = """
    SELECT min(xact_start), bool_or(query = '<insufficient privilege>') FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
      AND (xact_start <= %s OR query = '<insufficient privilege>')
"""


def _wait_for_older(seconds: float) -> datetime | None:
    """Wait until no transaction is left that began before now; the start of one that outlasts the wait."""
    deadline = time.monotonic() + seconds
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        noted = cursor.fetchone()[0]
        while True:
            cursor.execute("SELECT pg_stat_clear_snapshot()")
            cursor.execute(_OLDEST, [noted])
            oldest, hidden = cursor.fetchone()
            if oldest is None and not hidden:
                return None
            if time.monotonic() >= deadline:
                return oldest or noted
            time.sleep(0.02)


def _entry(spec: Chained, above: int, top: int) -> dict[str, Any] | None:
    columns = list(spec.columns or _columns_of(spec))
    entry: dict[str, Any] = {
        "table": spec.table,
        "key": spec.key,
        "columns": columns,
        "personal": list(spec.personal),
        "from": above,
        "to": top,
    }
    chunks = _chunks(spec.table, spec.key, columns, spec.personal, [(0, above, top)]).get(0, [])
    entry["chunks"] = [list(chunk) for chunk in chunks]
    entry["rows"] = sum(chunk[1] for chunk in chunks)
    return entry if chunks else None


def _columns_of(spec: Chained) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0"
            " AND NOT attisdropped ORDER BY attname",
            [spec.table],
        )
        left_out = {*spec.personal, *(_REDACTION if spec.personal else ())}
        return [name for (name,) in cursor.fetchall() if name not in left_out]


def _write(last: ChainBlock | None, content: dict[str, Any], now: datetime) -> ChainBlock:
    previous, number = (last.hash, last.number + 1) if last else (_START, 1)
    content = {**content, "sealed_at": now.astimezone(UTC).isoformat(), "number": number}
    digest = _hash(previous, content)
    ring = keyring()
    return ChainBlock.objects.create(
        number=number,
        sealed_at=now,
        previous=previous,
        content=content,
        hash=digest,
        mac=ring.seal(digest.encode()),
        key_name=ring.fingerprint,
    )


def _hash(previous: str, content: dict[str, Any]) -> str:
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(f"{previous}\n{canonical}".encode()).hexdigest()


# --- hashing rows ----------------------------------------------------------------------------------


@contextmanager
def _fixed_settings() -> Iterator[None]:
    """Settings under which a row has one text, whatever the session or the server prefers."""
    fixed = {
        "TimeZone": "UTC",
        "DateStyle": "ISO, YMD",
        "IntervalStyle": "iso_8601",
        "bytea_output": "hex",
        "extra_float_digits": "1",
    }
    with connection.cursor() as cursor:
        cursor.execute("SELECT name, setting FROM pg_settings WHERE name = ANY(%s)", [list(fixed)])
        before = dict(cursor.fetchall())
        for name, value in fixed.items():
            cursor.execute("SELECT set_config(%s, %s, true)", [name, value])
    yield
    with connection.cursor() as cursor:
        for name, value in before.items():
            cursor.execute("SELECT set_config(%s, %s, true)", [name, value])


def _row_text(columns: Sequence[str], personal: Sequence[str]) -> str:
    public = "ROW(" + ", ".join(f't."{c}"' for c in columns) + ")::text"
    if not personal:
        return f"convert_to({public}, 'UTF8')"
    told = f"CASE WHEN t.salt IS NULL THEN t.commitment ELSE {commitment(personal)} END"
    return f"convert_to({public} || {told}, 'UTF8')"


def commitment(personal: Sequence[str]) -> str:
    """SQL of the salted hash of the columns a shredder may empty, of table alias t."""
    secret = "ROW(" + ", ".join(f't."{c}"' for c in personal) + ")::text"
    return f"encode(sha256(convert_to(t.salt::text || {secret}, 'UTF8')), 'hex')"


Chunk = tuple[int, int, str]


def _chunks(
    table: str,
    key: str,
    columns: Sequence[str],
    personal: Sequence[str],
    ranges: Sequence[tuple[int, int, int]],
) -> dict[int, list[Chunk]]:
    """For each range (name, above, to]: its chunks (number of the thousand, rows, hash)."""
    digest = f"sha256({_row_text(columns, personal)})"
    sql = f"""
        SELECT r.n, t."{key}" / {_CHUNK}, count(*),
            encode(sha256(string_agg({digest}, ''::bytea ORDER BY t."{key}")), 'hex')
        FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[]) AS r (n, above, top)
        JOIN "{table}" t ON t."{key}" > r.above AND t."{key}" <= r.top
        GROUP BY 1, 2 ORDER BY 1, 2
    """
    found: dict[int, list[Chunk]] = {}
    with connection.cursor() as cursor:
        cursor.execute(sql, [list(part) for part in zip(*ranges, strict=True)])
        for name, number, count, digest in cursor:
            found.setdefault(name, []).append((number, count, digest))
    return found


# --- proving ---------------------------------------------------------------------------------------


def verify(*, expected_head: str = "", deep: bool = False, stop_at_first: bool = False) -> VerifyResult:
    """Compute the whole chain again. `expected_head`: a head hash kept elsewhere, which must occur in it.
    `deep` also compares the live rows of tracked tables with history: none altered, gone or put in."""
    result = VerifyResult()
    with transaction.atomic(), _fixed_settings():
        blocks = list(ChainBlock.objects.order_by("number"))
        _check_links(blocks, result)
        _check_rows(blocks, result)
        _check_shredding(blocks, result)
        _count_unsealed(blocks, result)
        if deep:
            _check_live(result)
    if expected_head and expected_head not in {_START, *(block.hash for block in blocks)}:
        message = (
            f"The chain never had the head {expected_head[:16]}…: its newest blocks were cut off or replaced."
        )
        result.breaches.append(Breach("head", len(blocks), message=message))
    result.breaches.sort(key=lambda breach: (breach.block, breach.table, breach.first))
    if stop_at_first:
        del result.breaches[1:]
    return result


def _check_links(blocks: Sequence[ChainBlock], result: VerifyResult) -> None:
    ring, previous, heads = keyring(), _START, dict[str, int]()
    unknown_keys = 0
    for number, block in enumerate(blocks, start=1):
        told = block.content.get("sealed_at"), block.content.get("number")
        if (
            told != (block.sealed_at.astimezone(UTC).isoformat(), block.number)
            or block.number != number
            or block.previous != previous
            or _hash(previous, block.content) != block.hash
        ):
            message = f"Block {block.number} is not what was sealed, or does not follow block {number - 1}."
            result.breaches.append(Breach("block", block.number, message=message))
        elif block.key_name != ring.fingerprint:
            unknown_keys += 1
        elif ring.seal(block.hash.encode()) != block.mac:
            message = f"Block {block.number} was not sealed with this installation's key."
            result.breaches.append(Breach("key", block.number, message=message))
        for entry in block.content["tables"]:
            if entry["from"] != heads.get(entry["table"], 0):
                message = f"Block {block.number} leaves out rows of {entry['table']}."
                result.breaches.append(Breach("block", block.number, entry["table"], message=message))
            heads[entry["table"]] = entry["to"]
        previous = block.hash
    if unknown_keys:
        result.notes.append(
            f"{unknown_keys} blocks were sealed with another field key: their keyed seal is unchecked."
        )
    result.blocks, result.head = len(blocks), previous


def _check_rows(blocks: Sequence[ChainBlock], result: VerifyResult) -> None:
    alike: dict[tuple, list[tuple[int, dict[str, Any]]]] = {}
    for block in blocks:
        for entry in block.content["tables"]:
            form = (entry["table"], entry["key"], tuple(entry["columns"]), tuple(entry["personal"]))
            alike.setdefault(form, []).append((block.number, entry))
    for (table, key, columns, personal), entries in alike.items():
        missing = _missing_columns(table, {key, *columns, *personal})
        if missing:
            message = f"{table} has lost what was sealed: {', '.join(missing)}."
            result.breaches.append(Breach("deleted", entries[0][0], table, message=message))
            continue
        ranges = [(number, entry["from"], entry["to"]) for number, entry in entries]
        found = _chunks(table, key, columns, personal, ranges)
        for number, entry in entries:
            result.rows += entry["rows"]
            result.breaches += _differences(number, entry, found.get(number, []))


def _missing_columns(table: str, needed: set[str]) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT attname FROM pg_attribute WHERE attrelid = to_regclass(%s) AND attnum > 0"
            " AND NOT attisdropped",
            [f'"{table}"'],
        )
        return sorted(needed - {name for (name,) in cursor.fetchall()})


def _differences(block: int, entry: dict[str, Any], found: Sequence[Chunk]) -> Iterator[Breach]:
    then = {number: (count, digest) for number, count, digest in entry["chunks"]}
    today = {number: (count, digest) for number, count, digest in found}
    for number in sorted(then.keys() | today.keys()):
        before, after = then.get(number, (0, "")), today.get(number, (0, ""))
        if before == after:
            continue
        first = max(entry["from"] + 1, number * _CHUNK)
        last = min(entry["to"], number * _CHUNK + _CHUNK - 1)
        missing = before[0] - after[0]
        kind: Literal["altered", "deleted", "inserted"] = "altered"
        message = f"{entry['table']}: a row between {first} and {last} was altered."
        if missing:
            kind = "deleted" if missing > 0 else "inserted"
            verb = "are gone" if missing > 0 else "were put in"
            message = f"{entry['table']}: {abs(missing)} rows between {first} and {last} {verb}."
        yield Breach(kind, block, entry["table"], first, last, message)


def _check_shredding(blocks: Sequence[ChainBlock], result: VerifyResult) -> None:
    """A row without its salt must be empty, and a shredding entry must name what it tells of."""
    if not blocks:
        return
    for spec in chained_tables().values():
        if not spec.personal:
            continue
        filled = " OR ".join(f"coalesce(t.\"{c}\"::text, '') <> ''" for c in spec.personal)
        named = (
            f"EXISTS (SELECT 1 FROM registry_shredrecord s"
            f" WHERE s.rows -> '{spec.table}' @> to_jsonb(t.\"{spec.subject}\"))"
        )
        with connection.cursor() as cursor:
            cursor.execute(
                f'SELECT min(t."{spec.key}"), max(t."{spec.key}"), count(*) FROM "{spec.table}" t'
                f" WHERE t.salt IS NULL AND ({filled} OR NOT {named})"
            )
            first, last, count = cursor.fetchone()
        if count:
            where = f"{spec.table}: {count} rows between {first} and {last}"
            message = f"{where} were emptied without a shredding entry."
            result.breaches.append(
                Breach("shredded_without_record", len(blocks), spec.table, first, last, message)
            )


def _count_unsealed(blocks: Sequence[ChainBlock], result: VerifyResult) -> None:
    heads = blocks[-1].content["heads"] if blocks else {}
    for spec in chained_tables().values():
        with connection.cursor() as cursor:
            cursor.execute(
                f'SELECT count(*) FROM "{spec.table}" WHERE "{spec.key}" > %s', [heads.get(spec.table, 0)]
            )
            result.unsealed += cursor.fetchone()[0]


def _check_live(result: VerifyResult) -> None:
    """Live rows must be those of history, each equal to its last version: what was changed, deleted or put in
    with the triggers off leaves a difference."""
    for model in apps.get_models():
        tracked = getattr(model, "pgh_tracked_model", None)
        if tracked is None:
            continue
        table = tracked._meta.db_table
        for sql, told in _live_questions(model, tracked):
            with connection.cursor() as cursor:
                cursor.execute(sql)
                first, last, count = cursor.fetchone()
            if count:
                message = f"{table}: {count} rows between {first} and {last} {told}."
                result.breaches.append(Breach("live", result.blocks, table, first, last, message))


def _live_questions(model: type[Model], tracked: type[Model]) -> Iterator[tuple[str, str]]:
    """For a history table: SQL of the first, last and number of offending rows, and what is wrong."""
    names = {f.name for f in tracked._meta.concrete_fields}
    columns = [f.column for f in model._meta.concrete_fields if f.name in names]
    live = ", ".join(f't."{c}"' for c in columns)
    told = ", ".join(f'e."{c}"' for c in columns)
    assert tracked._meta.pk is not None
    table, history, key = tracked._meta.db_table, model._meta.db_table, tracked._meta.pk.column
    numbers = f'SELECT min(t."{key}"), max(t."{key}"), count(*) FROM "{table}" t'
    newest = f'SELECT * FROM "{history}" e WHERE e.pgh_obj_id = t."{key}" ORDER BY e.pgh_id DESC LIMIT 1'
    yield (
        f"{numbers} JOIN LATERAL ({newest}) e ON true WHERE ROW({live}) IS DISTINCT FROM ROW({told})",
        "differ from their last version in history",
    )
    yield (
        f'{numbers} WHERE NOT EXISTS (SELECT FROM "{history}" e WHERE e.pgh_obj_id = t."{key}")',
        "are not in history: they were put in behind its triggers",
    )
    yield (
        f"""
        SELECT min(gone.id), max(gone.id), count(*) FROM (
            SELECT DISTINCT e.pgh_obj_id AS id FROM "{history}" e
            WHERE NOT EXISTS (SELECT FROM "{table}" t WHERE t."{key}" = e.pgh_obj_id)) AS gone
        WHERE (SELECT l.pgh_label FROM "{history}" l WHERE l.pgh_obj_id = gone.id
            ORDER BY l.pgh_id DESC LIMIT 1) <> 'delete'
        """,
        "are gone, and history does not tell of it: they were deleted behind its triggers",
    )
