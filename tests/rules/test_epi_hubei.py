"""Hubei 2020, daily: alerts of January, none for what the caller marks, a warning for what nobody marked."""

from __future__ import annotations

import csv
from datetime import date

import pytest

from bihuan.epi.detection.ears import ears
from bihuan.epi.detection.results import Reason
from bihuan.epi.quality import Mark, detect_with_marks, increments

DEFINITION, CORRECTION = date(2020, 2, 12), date(2020, 4, 16)
MARKS = [
    Mark(DEFINITION, "definition_change", "clinically diagnosed cases count"),
    Mark(CORRECTION, "correction", "Wuhan corrected its totals", last=date(2020, 4, 17)),
]


@pytest.fixture(scope="module")
def hubei(shared):
    path = shared / "data" / "covid_china_daily" / "china_province_daily.csv"
    with path.open(encoding="utf-8", newline="") as file:
        rows = [r for r in csv.DictReader(file) if r["province_code"] == "420000"]
    totals = [[float(r[name]) for r in rows] for name in ("confirmed", "dead")]
    new, fell = increments(totals, dates=[r["date"] for r in rows], names=["confirmed", "deaths"])
    return new.until("2020-06-30"), fell


def alarm_days(found, series):
    return {r["date"] for r in found.rows(alarms_only=True) if r["series"] == series}


@pytest.mark.parametrize("method", ["C1", "C2", "C3"])
def test_january_alerts_and_nothing_marked_does(hubei, method):
    series, fell = hubei
    found = detect_with_marks(lambda p: ears(p, method=method), series, marks=MARKS, known_warnings=fell)
    alerts = alarm_days(found, "confirmed")
    assert {date(2020, 1, 17), date(2020, 1, 18)} <= alerts
    for name in ("confirmed", "deaths"):
        assert not alarm_days(found, name) & {DEFINITION, CORRECTION, date(2020, 4, 17)}
        assert not any(DEFINITION <= day < date(2020, 2, 18) for day in alarm_days(found, name))
    marked = [r for r in found.rows() if r["date"] == DEFINITION]
    assert {r["reason"] for r in marked} == {Reason.MARKED.name.lower()}
    assert {r["note"] for r in marked} == {"clinically diagnosed cases count"}


def test_unmarked_they_alarm_and_warn(hubei):
    series, fell = hubei
    found = detect_with_marks(lambda p: ears(p, method="C1"), series, known_warnings=fell)
    assert {DEFINITION, CORRECTION} <= alarm_days(found, "confirmed")
    warned = {(w.series, w.day, w.kind) for w in found.warnings}
    assert ("confirmed", DEFINITION, "jump") in warned
    assert ("confirmed", CORRECTION, "jump") in warned
    assert ("deaths", CORRECTION, "jump") in warned
    assert ("confirmed", date(2020, 1, 3), "negative_correction") in warned
    at = list(series.dates.astype(object)).index(DEFINITION)
    position = list(found.detection.at).index(at)
    assert "a change of definition or a batch of old cases?" in found.explain(time=position)
    assert "可能为定义变更或补报" in found.explain("zh-hans", time=position)
