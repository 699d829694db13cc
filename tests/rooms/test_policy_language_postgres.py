"""The rule language in PostgreSQL: the third reader of the same tree."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bihuan.policy.language import FactType, Rule, compile_rule
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

pytestmark = pytest.mark.django_db
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
ZONES = st.sampled_from(["Asia/Shanghai", "America/Guatemala", "UTC", "Asia/Kathmandu"])


@pytest.fixture
def table(db):
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL TimeZone = 'America/New_York'")  # the session's zone must not matter
        cursor.execute(f"CREATE TEMPORARY TABLE rule_facts (row integer, {TABLE}) ON COMMIT DROP")


def answers(rule: Rule, filled: list[dict], now: dt.datetime) -> list:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM rule_facts")
        cursor.executemany(
            f"INSERT INTO rule_facts VALUES (%s{', %s' * (len(filled[0]) + 1)})",
            [(n, *(row[name] for name in COLUMNS), now) for n, row in enumerate(filled)],
        )
        text = rule.sql("postgres")
        if rule.returns is FactType.TIMESTAMP:  # in microseconds: Django's reader relabels the session's zone
            text = f"CAST(EXTRACT(EPOCH FROM {text}) * 1000000 AS BIGINT)"
        cursor.execute(f"SELECT {text} FROM rule_facts ORDER BY row".replace("%", "%%"), [])
        found = [a for (a,) in cursor.fetchall()]
    if rule.returns is FactType.TIMESTAMP:
        return [None if us is None else EPOCH + dt.timedelta(microseconds=us) for us in found]
    return found


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(text=expressions(), filled=st.lists(rows, min_size=1, max_size=6), now=moments, tz=ZONES)
def test_it_decides_in_postgresql_as_for_one_row(table, text, filled, now, tz):
    rule = compile_rule(text, FACTS, tz=tz)
    assert [rule.closure(row, now) for row in filled] == answers(rule, filled, now)


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(text=any_expression, filled=st.lists(rows, min_size=1, max_size=6), now=moments, tz=ZONES)
def test_it_computes_the_same_value_in_postgresql(table, text, filled, now, tz):
    rule = compile_rule(text, FACTS, tz=tz)
    assert [comparable(rule.closure(row, now)) for row in filled] == answers(rule, filled, now)
