"""One tree, several readers: the closure, the plain reading and DuckDB agree on every row, gaps included."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bihuan.policy.errors import RuleBroken
from bihuan.policy.language import FactType, Rule, compile_rule
from bihuan.policy.language.trace import evaluate
from tests.rules.language_examples import (
    COLUMNS,
    FACTS,
    TABLE,
    any_expression,
    comparable,
    expressions,
    moments,
    rows,
)

ZONES = st.sampled_from(["Asia/Shanghai", "America/Guatemala", "UTC", "Asia/Kathmandu"])
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


@pytest.fixture(scope="module")
def duck() -> Iterator[duckdb.DuckDBPyConnection]:
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'America/New_York'")  # the session's zone must not matter
    connection.execute(f"CREATE TABLE facts (row integer, {TABLE})")
    yield connection
    connection.close()


def answers(duck: duckdb.DuckDBPyConnection, rule: Rule, table: list[dict], now: dt.datetime) -> list:
    duck.execute("DELETE FROM facts")
    duck.executemany(
        f"INSERT INTO facts VALUES (?{', ?' * (len(table[0]) + 1)})",
        [(n, *(row[name] for name in COLUMNS), now) for n, row in enumerate(table)],
    )
    text = rule.sql("duckdb")
    if (
        rule.returns is FactType.TIMESTAMP
    ):  # asked for in microseconds: a time zone package is not needed then
        found = duck.execute(f"SELECT epoch_us({text}) FROM facts ORDER BY row").fetchall()
        return [None if us is None else EPOCH + dt.timedelta(microseconds=us) for (us,) in found]
    return [a for (a,) in duck.execute(f"SELECT {text} FROM facts ORDER BY row").fetchall()]


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(text=expressions(), table=st.lists(rows, min_size=1, max_size=6), now=moments, tz=ZONES)
def test_it_decides_the_same_for_one_row_and_for_all(duck, text, table, now, tz):
    rule = compile_rule(text, FACTS, tz=tz)
    one_by_one = [rule.closure(row, now) for row in table]
    assert one_by_one == [evaluate(rule.node, row, now, tz=tz) for row in table]
    assert one_by_one == answers(duck, rule, table, now)
    assert set(one_by_one) <= {True, False, None}


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(text=any_expression, table=st.lists(rows, min_size=1, max_size=6), now=moments, tz=ZONES)
def test_it_computes_the_same_value_of_any_type(duck, text, table, now, tz):
    rule = compile_rule(text, FACTS, tz=tz)
    one_by_one = [comparable(rule.closure(row, now)) for row in table]
    assert one_by_one == [comparable(evaluate(rule.node, row, now, tz=tz)) for row in table]
    assert one_by_one == answers(duck, rule, table, now)


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(text=expressions(), row=rows, now=moments)
def test_the_reason_is_that_of_the_decision(text, row, now):
    rule = compile_rule(text, FACTS)
    trace = rule.trace(row, now)
    assert trace.result == rule.closure(row, now)
    assert set(trace.values) == set(rule.uses)
    assert all(part.value in (True, False, None) for part in trace.parts)
    for lang in ("zh", "en"):
        assert rule.explain(lang)
        assert all(trace.because(lang))


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=60))
def test_no_text_gets_through_but_as_a_rule_or_a_refusal(text):
    refused = None
    try:
        compile_rule(text, FACTS)
    except RuleBroken as error:
        refused = error
    if refused is not None:
        assert refused.message
        assert 0 <= refused.position <= len(text)
