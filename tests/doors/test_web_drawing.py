"""Rings, bars, curves and the words for times."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta

import pytest
from django.utils import timezone, translation
from hypothesis import given
from hypothesis import strategies as st

from bihuan.doors.web import drawing, timeline, words
from bihuan.doors.web.drawing import CurveDay, RingStage
from bihuan.doors.web.templatetags.bihuan import figure, percent

NOW = datetime(2020, 2, 17, 12, 40, tzinfo=UTC)  # 20:40 in Shiyan


@pytest.fixture(autouse=True)
def _shanghai():
    with timezone.override("Asia/Shanghai"), translation.override("zh-hans"):
        yield


def kinds(svg: str) -> list[str]:
    return re.findall(r'<path class="(\w)"', svg)


def test_a_ring_has_one_track_a_stage_and_fills_what_is_done():
    svg = drawing.ring([RingStage("定位", done=1), RingStage("安置", done=1, open=1), RingStage("观察")])
    assert kinds(svg).count("t") == 3
    assert kinds(svg).count("d") == 2
    assert "l" not in kinds(svg)


def test_what_is_late_is_drawn_even_if_it_is_one_in_ten_thousand():
    svg = drawing.ring([RingStage("筛查", done=9_000, open=1_000, late=1)])
    assert "l" in kinds(svg)
    assert "1" in svg


def test_a_ring_is_closed_only_when_every_stage_has_begun_and_nothing_is_owed():
    assert "ring closed" in drawing.ring([RingStage("a", done=1), RingStage("b", done=2)])
    assert "ring closed" not in drawing.ring([RingStage("a", done=1), RingStage("b")])
    assert "ring closed" not in drawing.ring([RingStage("a", done=1, open=1)])


def test_a_ring_says_in_words_what_it_shows():
    svg = drawing.ring([RingStage("观察", done=5, open=9, late=1)])
    assert "观察：14 项完成 5 项，超时 1" in svg


@given(
    st.lists(
        st.tuples(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6)),
        min_size=1,
        max_size=9,
    )
)
def test_arcs_never_leave_their_stage(counts):
    for done, rest, soon, late in counts:
        stage = RingStage("x", done=done, open=rest + soon + late, soon=soon, late=late)
        arcs = drawing._arc_of_stage(stage, 0.0, 50.0, 40.0, 12.0)
        assert arcs[0][0] == "t"
        assert all("nan" not in path for _kind, path, _width in arcs)


@given(st.lists(st.integers(0, 10**7), max_size=6), st.integers(1, 10**7))
def test_a_bar_never_grows_beyond_its_frame(amounts, total):
    svg = drawing.bar([("late", n) for n in amounts], total=total, title="")
    widths = [float(w) for w in re.findall(r'y="0" width="([\d.]+)"', svg)]
    assert sum(widths) <= 100.1


def test_labels_are_escaped():
    assert "<script>" not in drawing.ring([RingStage("<script>", done=1)])
    assert "<script>" not in drawing.curve([CurveDay("<script>", 1)], title="<script>")


@pytest.mark.parametrize(
    ("hours", "said"),
    [(2, "今天 22:40"), (-13, "今天 07:40"), (-24, "昨天 20:40"), (24, "明天 20:40"), (-240, "2月7日 20:40")],
)
def test_times_are_said_as_people_say_them(hours, said):
    assert words.say_when(NOW + timedelta(hours=hours), NOW) == said


def test_midnight_as_a_deadline_is_the_end_of_the_day_before():
    assert words.say_due(datetime(2020, 2, 26, 16, tzinfo=UTC), NOW) == "2月26日 24:00"
    assert words.say_due(datetime(2020, 2, 17, 16, tzinfo=UTC), NOW) == "今天 24:00"


def test_another_year_is_named():
    assert words.say_when(datetime(2019, 12, 8, 1, tzinfo=UTC), NOW, precision="day") == "2019年12月8日"
    with translation.override("en"):
        assert words.say_when(datetime(2019, 12, 8, 1, tzinfo=UTC), NOW, precision="day") == "8 Dec 2019"


@pytest.mark.parametrize(
    ("length", "said"),
    [
        (timedelta(hours=9, minutes=12), "9 小时 12 分"),
        (timedelta(hours=2), "2 小时"),
        (timedelta(days=3, hours=4, minutes=50), "3 天 4 小时"),
        (timedelta(days=12, hours=9), "12 天"),
        (timedelta(seconds=20), "0 分"),
        (timedelta(hours=-1, minutes=-48), "1 小时 48 分"),
    ],
)
def test_lengths_are_said_in_two_units_at_most(length, said):
    assert words.say_span(length) == said


def test_a_share_is_never_rounded_up_to_the_whole():
    assert percent(0.99996) == "99.9%"
    assert percent(1.0) == "100%"
    assert percent(None) == "–"


def test_figures_have_their_thousands_apart():
    assert figure(128440) == "128,440"
    assert figure(None) == "–"


def test_a_near_day_inside_an_english_sentence_has_no_capital():
    today = date(2020, 2, 17)
    with translation.override("en"):
        assert words.say_date(today, today=today, inside=True) == "today"
        assert words.say_date(today, today=today) == "Today"
    with translation.override("zh-hans"):
        assert words.say_date(today, today=today, inside=True) == "今天"


def test_a_line_of_checks_begins_with_a_capital_and_keeps_its_unit():
    assert timeline._sentence("temperature 36.4 °C") == "Temperature 36.4 °C"
