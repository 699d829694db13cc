"""Duplicate search against a million people, registering in bulk, and proving the audit chain.

Bars: single search < 20 ms, bulk >= 1,500 reports/s, registering without search >= 5,000/s, a million chained
rows proven in < 60 s. Peers, as they publish: DHIS2 about 3,240 entities/s on 4+4 processors
without any fuzzy match; SORMAS about 0.13 imported rows/s with its similarity search (#2539).

    python3 bihuan.py bench duplicates [--people 1000000] [--keep]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

from benchmarks import scratch

_RUNS = 5


def main(words: Sequence[str] = ()) -> dict[str, Any]:
    """Run it; prints and returns the figures (medians of five runs)."""
    options = _options(words)
    scratch.set_up()
    from bihuan.registry import scope

    with scratch.database("bench_duplicates", keep=options.keep) as found, scope.system():
        filled = fill(options.people) if not found else {}
        figures = {
            "machine": f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}",
            "people": options.people,
            **filled,
            **measure_search(options.people),
            **measure_registering(),
            **measure_chain(),
        }
    print(json.dumps(figures, indent=2))
    return figures


def _options(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench duplicates")
    parser.add_argument("--people", type=int, default=1_000_000)
    parser.add_argument("--keep", action="store_true", help="keep the filled database for the next run")
    return parser.parse_args(list(words))


def fill(n: int, *, seed: int = 20200123) -> dict[str, float]:
    """Put n made-up people into the connected database by COPY, without history. Seconds it took."""
    from django.db import connection, transaction

    from benchmarks.synthetic_people import REPORTED, Maker
    from bihuan.registry import people
    from bihuan.registry.actions.people import _TYPES
    from bihuan.registry.ids import new_id
    from bihuan.registry.secrets import keyring

    started, ring = time.perf_counter(), keyring()
    columns = [*_TYPES, "root_id"]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        with cursor.copy(f"COPY registry_person ({', '.join(columns)}) FROM STDIN") as copy:
            for key, person in enumerate(Maker(seed).many(n), start=1):
                public_id = new_id("P")
                row = people.columns(
                    people.prepare(person, on=REPORTED, ring=ring), public_id=public_id, ring=ring
                )
                row |= {"id": key, "root_id": key, "public_id": public_id, "created_at": f"{REPORTED}T00:00Z"}
                copy.write_row([row[column] for column in columns])
        cursor.execute("SELECT setval(pg_get_serial_sequence('registry_person', 'id'), %s)", [n])
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE registry_person")
    return {"fill_seconds": round(time.perf_counter() - started, 1)}


def measure_search(n: int, *, seed: int = 20200123, batch: int = 6000) -> dict[str, Any]:
    """Half of the reports are of known people written with a slip, half of people never seen."""
    from benchmarks.synthetic_people import Maker
    from bihuan.registry import duplicates

    maker = Maker(seed)
    known = list(maker.many(min(n, batch // 2)))
    # People drawn from another seed may be the same by chance only.
    unknown = list(Maker(seed + 1).many(batch // 2))
    again = [maker.reported_again(person) for person in known]
    asked = [report for pair in zip(again, unknown, strict=True) for report in pair]
    found = duplicates.find_duplicates_bulk(asked)
    hits = sum(any(m.record_id == row // 2 + 1 for m in found[row]) for row in range(0, len(asked), 2))
    chance = sum(bool(found[row]) for row in range(1, len(asked), 2))
    seconds = _median(lambda: duplicates.find_duplicates_bulk(asked))
    singles = sorted(_seconds(lambda r=report: duplicates.find_duplicates(r)) for report in asked[:400])
    return {
        "bulk_reports_per_second": round(len(asked) / seconds),
        "single_median_ms": round(1000 * statistics.median(singles), 2),
        "single_p95_ms": round(1000 * singles[int(len(singles) * 0.95)], 2),
        "share_of_known_found": round(hits / len(known), 3),
        "share_of_unknown_suggested": round(chance / len(unknown), 4),
    }


def measure_registering(batch: int = 10_000) -> dict[str, Any]:
    """Registering with history, without and with duplicate search; every run is rolled back."""
    from django.db import transaction

    from benchmarks.synthetic_people import Maker
    from bihuan.registry.actions import people as verbs
    from bihuan.registry.actor import Actor
    from bihuan.registry.models import Territory

    inputs = list(Maker(7).many(batch))
    actor = Actor.system("bench")
    codes = {person.territory_code[:2] for person in inputs}
    Territory.objects.bulk_create(
        [Territory(code=code, name=code, level=1, parent_code="") for code in codes], ignore_conflicts=True
    )

    def once(verb: Callable[..., Any], people: Sequence[Any]) -> float:
        with transaction.atomic():
            seconds = _seconds(lambda: verb(people, actor))
            transaction.set_rollback(True)
        return seconds

    plain = statistics.median(once(verbs.register_people, inputs) for _i in range(_RUNS))
    searched = statistics.median(once(verbs.register_or_find, inputs[:3000]) for _i in range(_RUNS))
    return {
        "registered_per_second": round(batch / plain),
        "registered_with_search_per_second": round(3000 / searched),
    }


def measure_chain(rows: int = 1_000_000) -> dict[str, Any]:
    """Log a million readings, seal and prove them."""
    from django.db import connection

    from bihuan.registry import chain
    from bihuan.registry.models import AccessLog

    missing = rows - AccessLog.objects.count()
    if missing > 0:
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO registry_accesslog (at, person_id, territory_code, fields, purpose, door,"
                " actor_name, request_id, glass)"
                " SELECT now(), 1 + g %% (SELECT count(*) FROM registry_person), '420302001',"
                " '{name,phone}', 'follow-up of a contact', 'web', 'bench', 'r' || g, ''"
                " FROM generate_series(1, %s) g",
                [missing],
            )
    seal_seconds = _seconds(chain.seal)
    proofs = []
    for _i in range(_RUNS):
        started = time.perf_counter()
        result = chain.verify()
        proofs.append(time.perf_counter() - started)
        if not result.ok:
            raise SystemExit(f"The chain does not prove: {result.breaches[:3]}")
    return {
        "chain_rows": result.rows,
        "seal_seconds": round(seal_seconds, 1),
        "verify_seconds": round(statistics.median(proofs), 1),
    }


def _seconds(work: Callable[[], Any]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _median(work: Callable[[], Any]) -> float:
    return statistics.median(_seconds(work) for _i in range(_RUNS))


if __name__ == "__main__":
    import sys

    main(sys.argv[1:])
