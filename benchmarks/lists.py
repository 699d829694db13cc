"""First page of a filtered line list among a million cases, fifty users each asking once a second.

Bar (issue: the house): p95 <= 0.3 s, for a user restricted to one county and an unrestricted one
alike. Peers, as
they publish: Sara Alert <= 10 s at 10 users; SORMAS 32 s for 2,934 contacts (#9559).

A page is what the web shows: fifty rows with the person and what the loop owes, as the role that
serves the doors,
under row-level security. Time counts from the moment the user wanted the page, waiting for a worker included.

    python3 bihuan.py bench lists [--people 1000000] [--users 50] [--seconds 20] [--runs 5]
        [--workers 2] [--keep]
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import random
import statistics
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from benchmarks import scratch

BAR_SECONDS = 0.3
PEERS = {"Sara Alert gate, s at 10 users": 10.0, "SORMAS #9559, s for 2,934 contacts": 32.0}
NAMES = 20_000
THREADS = 4  # of a worker, as the web server runs them


def main(words: Sequence[str] = ()) -> dict[str, Any]:
    """Run it; prints and returns p50 and p95 in seconds, by kind of user and by filter."""
    options = _options(words)
    scratch.set_up()
    from bihuan.registry import scope

    with scratch.database("bench_lists", keep=options.keep) as found:
        with scope.system():
            filled = {} if found else fill(options.people)
        figures = {
            "machine": f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}",
            "people": options.people,
            "users": options.users,
            **filled,
            **summed([measure(options) for _run in range(options.runs)]),
            "bar, p95 s": BAR_SECONDS,
            "peers": PEERS,
        }
    print(json.dumps(figures, indent=2, ensure_ascii=False))
    return figures


def _options(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench lists")
    parser.add_argument("--people", type=int, default=1_000_000)
    parser.add_argument("--users", type=int, default=50)
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--keep", action="store_true", help="keep the filled database for the next run")
    return parser.parse_args(list(words))


# --- filling ----------------------------------------------------------------------------------------


def fill(n: int, *, seed: int = 20200123) -> dict[str, float]:
    """n people, each a case with an open loop that owes one thing. Seconds it took."""
    from django.db import connection, transaction

    from benchmarks.synthetic_people import REPORTED, Maker
    from bihuan.registry import people
    from bihuan.registry.secrets import keyring

    started, ring = time.perf_counter(), keyring()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute("SELECT setseed(0.42)")
        cursor.execute(
            "CREATE TEMP TABLE pool (n serial, name text, pinyin text, initials text, key text,"
            " tokens text[], code text)"
        )
        with cursor.copy("COPY pool (name, pinyin, initials, key, tokens, code) FROM STDIN") as copy:
            for person in Maker(seed).many(NAMES):
                row = people.columns(
                    people.prepare(person, on=REPORTED, ring=ring), public_id="P-0", ring=ring
                )
                copy.write_row(
                    [
                        row["name"],
                        row["name_pinyin"],
                        row["name_initials"],
                        row["name_key"],
                        [token for token in str(row["name_tokens"]).split("\x1f") if token],
                        person.territory_code,
                    ]
                )
        for statement in STATEMENTS:
            cursor.execute(statement, {"n": n, "names": NAMES})
    with connection.cursor() as cursor:
        cursor.execute("SELECT loops_ensure_month('2020-02-01')")
        for table in ("registry_person", "cases_case", "loops_subject", "loops_loop", "loops_duty"):
            cursor.execute(f"VACUUM ANALYZE {table}")
    return {"fill_seconds": round(time.perf_counter() - started, 1)}


PUBLIC = "'{}-' || lpad(upper(to_hex(i)), 10, '0')"
STATEMENTS = (
    f"""
    INSERT INTO registry_person (id, root_id, public_id, territory_code, name, name_pinyin,
    name_initials, name_key,
        name_tokens, sex, birth_year, age_years, id_kind, id_index, phone_index, address,
        occupation, source, local_id,
        created_at)
    SELECT i, i, {PUBLIC.format("P")}, place.code, who.name, who.pinyin, who.initials, who.key, who.tokens,
        CASE WHEN i % 2 = 0 THEN 'F' ELSE 'M' END, 1930 + i % 89, 20 + i % 60, '', '', '', '', '', '', '',
        now()
    FROM generate_series(1::bigint, %(n)s) AS i
    JOIN pool who ON who.n = 1 + (i * 7919) %% %(names)s JOIN pool place ON place.n = 1 + (i *
    104729) %% %(names)s
    """.replace("i % 2", "i %% 2")
    .replace("i % 89", "i %% 89")
    .replace("i % 60", "i %% 60"),
    f"""
    INSERT INTO cases_case (id, public_id, person_id, territory_code, local_id, disease,
    classification, severity,
        date_onset, date_report, date_confirmation, test_result, outcome, origin, facility,
        source_text, found_at,
        found_precision, recorded_at)
    SELECT i, {PUBLIC.format("C")}, i, p.territory_code, 'HB' || i, 'covid-19',
        (ARRAY['confirmed','confirmed','confirmed','confirmed','suspected','suspected','clinically_diagnosed',
               'asymptomatic','probable','discarded'])[1 + (i * 31) %% 10],
        (ARRAY['mild','mild','moderate','moderate','moderate','severe','critical','unknown'])
            [1 + (i * 17) %% 8],
        CASE WHEN i %% 9 = 0 THEN NULL ELSE date '2019-12-20' + ((i * 13) %% 70)::int END,
        date '2020-01-10' + ((i * 11) %% 60)::int, date '2020-01-10' + ((i * 11) %% 60)::int, '', 'unknown',
        'under_investigation', '', '', timestamptz '2020-01-10' + ((i * 37) %% 86400) * interval '1 minute',
        'minute',
        timestamptz '2020-03-11'
    FROM generate_series(1::bigint, %(n)s) AS i JOIN registry_person p ON p.id = i
    """,
    """
    INSERT INTO loops_binding (id, digest, definition, policy_id, body)
    VALUES (1, 'bench', 'case', 'bench', '{}')
    """,
    """
    INSERT INTO loops_subject (id, kind, ref, person_id, territory_code)
    SELECT id, 'case', public_id, person_id, territory_code FROM cases_case
    """,
    """
    INSERT INTO loops_loop (id, public_id, subject_id, subject_kind, subject_ref, person_id,
    definition, "group",
        binding_id, ruling_id, tz, state, opened_at, outcome, openings, waits, passed_to, territory_code)
    SELECT id, 'L' || substr(public_id, 2), id, 'case', public_id, person_id, 'case', 'admission', 1, 1,
        'Asia/Shanghai', 0, found_at, '', 1, false, found_at, territory_code FROM cases_case
    """,
    """
    INSERT INTO loops_duty (id, loop_id, owner_post_id, person_id, opened_at, due_at, warn_at,
    recorded_at, binding_id,
        territory_code, definition, kind, key, stage)
    SELECT id, id, 1, person_id, found_at, found_at + interval '28 days', found_at + interval '27
    days', found_at, 1,
        territory_code, 'case', CASE WHEN id %% 7 = 0 THEN 'review' ELSE 'outcome' END, 'outcome#1',
        CASE WHEN id %% 7 = 0 THEN 'verify' ELSE 'treat' END
    FROM cases_case
    """,
)


# --- asking -----------------------------------------------------------------------------------------


def filters() -> dict[str, dict[str, Any]]:
    """What people ask for, by name."""
    from datetime import date

    return {
        "newest": {},
        "severe confirmed": {"classification": ("confirmed",), "severity": ("severe", "critical")},
        "rare": {"classification": ("probable",), "severity": ("critical",)},
        "name": {"text": "王伟"},
        "surname": {"text": "王"},
        "pinyin": {"text": "zhangmi"},
        "initials": {"text": "lxm"},
        "case number": {"text": "HB77"},
        "onset week": {"onset_from": date(2020, 2, 1), "onset_to": date(2020, 2, 7), "sort": "-date_onset"},
        "reported, oldest": {"report_from": date(2020, 2, 10), "sort": "date_report"},
        "late": {"late": True},
        "stage": {"stage": "verify"},
    }


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Users spread over worker processes; each asks once a second for a random filter."""
    from django.db import connection

    url = _door_url(connection.settings_dict)
    share = [
        options.users // options.workers + (n < options.users % options.workers)
        for n in range(options.workers)
    ]
    context = multiprocessing.get_context("spawn")
    with context.Pool(options.workers) as pool:
        jobs = [pool.apply_async(_worker, (url, users, options.seconds, n)) for n, users in enumerate(share)]
        asked = [row for job in jobs for row in job.get()]
    by_scope: dict[str, list[float]] = {}
    by_filter: dict[str, list[float]] = {}
    for restricted, name, seconds in asked:
        by_scope.setdefault("county" if restricted else "unrestricted", []).append(seconds)
        by_filter.setdefault(f"{name} ({'county' if restricted else 'all'})", []).append(seconds)
    return {
        "pages": len(asked),
        "by user": {name: _figures(times) for name, times in sorted(by_scope.items())},
        "by filter": {name: _figures(times) for name, times in sorted(by_filter.items())},
    }


def summed(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """The median run by run: of each figure, the median over the runs."""
    middle: dict[str, Any] = {"runs": len(runs), "pages a run": runs[0]["pages"]}
    for group in ("by user", "by filter"):
        names = sorted({name for run in runs for name in run[group]})
        middle[group] = {
            name: {
                key: round(statistics.median(run[group][name][key] for run in runs if name in run[group]), 4)
                for key in ("p50", "p95")
            }
            for name in names
        }
    return middle


def _figures(times: list[float]) -> dict[str, float]:
    cut = statistics.quantiles(times, n=20)[18] if len(times) > 1 else times[0]
    return {"p50": round(statistics.median(times), 4), "p95": round(cut, 4), "n": len(times)}


def _door_url(settings: dict[str, Any]) -> str:
    where = f"{settings['USER']}:{settings['PASSWORD']}@{settings['HOST']}:{settings['PORT']}"
    if str(settings["HOST"]).startswith("/"):
        return f"postgresql://{settings['USER']}:{settings['PASSWORD']}@/{settings['NAME']}?host={settings['HOST']}&port={settings['PORT']}"
    return f"postgresql://{where}/{settings['NAME']}"


def _worker(url: str, users: int, seconds: int, seed: int) -> list[tuple[bool, str, float]]:
    os.environ |= {"DATABASE_URL": url, "BIHUAN_DB_ROLE": "door", "BIHUAN_MODE": "test"}
    scratch.set_up()
    from datetime import UTC, datetime

    from bihuan.registry import clock

    done: list[tuple[bool, str, float]] = []
    lock = threading.Lock()
    names = list(filters())
    with clock.frozen(datetime(2020, 3, 11, tzinfo=UTC)), ThreadPoolExecutor(THREADS) as pool:
        for thread in [pool.submit(_ask, name, restricted) for name in names for restricted in (True, False)]:
            thread.result()  # connections opened, plans and pages warm
        draw = random.Random(seed)
        start = time.perf_counter()
        wanted = sorted(
            (start + second + user / users, user % 2 == 0, draw.choice(names))
            for user in range(users)
            for second in range(seconds)
        )

        def one(at: float, restricted: bool, name: str) -> None:
            _ask(name, restricted)
            with lock:
                done.append((restricted, name, time.perf_counter() - at))

        for at, restricted, name in wanted:
            time.sleep(max(0.0, at - time.perf_counter()))
            pool.submit(one, at, restricted, name)
    return done


def _ask(name: str, restricted: bool) -> int:
    from bihuan.cases.queries import CaseFilter, list_cases
    from bihuan.registry.scope import Scope, acting_as

    with acting_as(Scope(lo="420304" if restricted else "")):
        return len(list_cases(CaseFilter(**filters()[name])).rows)
