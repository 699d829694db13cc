"""The living pattern page: every component with invented data, drawn by the templates that pages use."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from bihuan.doors.web.access import access
from bihuan.doors.web.drawing import CurveDay, RingStage
from bihuan.doors.web.shapes import DutyCard, Moment, Tile, Why
from bihuan.registry import clock

COLORS = (
    "paper", "card", "ink", "ink-2", "ink-3", "line",
    "done", "done-soft", "soon", "soon-soft", "late", "late-soft", "fact", "fact-soft",
)  # fmt: skip
STAGES = [
    RingStage("定位", done=1),
    RingStage("安置", done=1),
    RingStage("观察", done=5, open=9, late=1, soon=1),
    RingStage("检测", done=0, open=2),
    RingStage("解除"),
]
BIG = [
    RingStage("筛查", done=1800, open=429, soon=21, late=6),
    RingStage("转运", done=500, open=50, soon=9, late=3),
    RingStage("收治", done=700, open=65, soon=4),
    RingStage("治疗", done=300, open=596),
    RingStage("随访", done=90, open=144, soon=5, late=40),
]
CLOSED = [RingStage("", done=1) for _n in range(5)]


class SampleForm(forms.Form):
    temperature = forms.DecimalField(label="体温", max_digits=3, decimal_places=1, min_value=34, max_value=43)
    symptoms = forms.MultipleChoiceField(
        label="症状", choices=[("none", "无症状"), ("cough", "咳嗽"), ("fever", "发热")],
        widget=forms.CheckboxSelectMultiple, required=False,
    )  # fmt: skip
    note = forms.CharField(label="备注", required=False, help_text="不写身份证号和电话。")


RINGS = [
    (STAGES, 28, "", ""),
    (STAGES, 38, "", ""),
    (CLOSED, 38, "", ""),
    (STAGES, 72, "", ""),
    (CLOSED, 72, "", ""),
    (BIG, 148, 1284, "人在环内"),
]
TILES = [
    Tile("1", "郧西", "0", "t0", "#", 1, 1),
    Tile("2", "郧阳", "3", "soon", "#", 2, 1),
    Tile("3", "张湾", "12", "late", "#", 2, 2),
    Tile("4", "房县", "2", "t3", "#", 3, 3),
    Tile("5", "竹山", "1", "t2", "#", 2, 3),
]
CURVE = [
    CurveDay(f"2月{day}日", cases, day > 10, "#")
    for day, cases in enumerate([1, 2, 4, 7, 9, 14, 12, 17, 15, 11, 8, 6], start=1)
]


@access(scope="anyone")
def patterns(request: HttpRequest) -> HttpResponse:
    now = clock.now()
    return render(
        request,
        "web/patterns.html",
        {
            "swatches": COLORS,
            "rings": RINGS,
            "form": SampleForm({"temperature": "63", "symptoms": ["none"]}),
            "late_by": timedelta(hours=2),
            "moments": _moments(now),
            "cards": _cards(now),
            "tiles": TILES,
            "curve_days": CURVE,
            "why": _why(now),
            "closed_ring": CLOSED,
            "empty_title": _("Nothing is owed"),
            "empty_text": _("New duties appear here as soon as a loop opens one for your post."),
            "toast_text": "已完成：午间体温",
        },
    )


def _moments(now: datetime) -> list[Moment]:
    return [
        Moment(
            now - timedelta(days=5),
            "minute",
            "与病例 SY-0214-007 同车 40 分钟",
            "封闭空调客车同车厢",
            tag="暴露",
        ),
        Moment(
            now - timedelta(days=3),
            "minute",
            "居家医学观察开始",
            "至 14 天后 24:00",
            tone="soon",
            tag="措施",
        ),
        Moment(
            now - timedelta(days=1),
            "day",
            "体温 36.9 / —，随访 2/3",
            "晚间体温未做",
            tone="late",
            tag="观察",
            recorded_at=now,
        ),
    ]


def _cards(now: datetime) -> list[DutyCard]:
    card: dict[str, Any] = {
        "what": "午间体温与随访",
        "href": "#",
        "why_href": "#",
        "action": "#",
        "verb": _("Done"),
    }
    return [
        DutyCard(
            1,
            "陈*英",
            due_at=now - timedelta(hours=2),
            state="late",
            late_by=timedelta(hours=2),
            room="8-2-301",
            because="居家观察第 6 天 / 14 天 · 依据 cn-nhc-2020-01 第 4 条",
            stages=STAGES,
            missed_href="#",
            **card,
        ),
        DutyCard(
            2,
            "周*明",
            due_at=now + timedelta(minutes=40),
            state="soon",
            room="8-2-302",
            one_tap=True,
            stages=CLOSED,
            note="今天第 3 次，共 5 次",
            **card,
        ),
    ]


def _why(now: datetime) -> Why:
    return Why(
        "因与确诊病例同车，居家医学观察 14 天，从最后接触当日起算。",
        rule="observation.close_contact",
        value="14 天",
        layer="全国 2020-01 方案 第 4 条；本级未改",
        confidence="verified",
        clause="D4-17d",
        until=now + timedelta(days=9),
        ends_earlier="排除来源病例；或改判为一般接触者",
        appeal="24 小时内答复，逾期未答复按有利于本人处理",
    )
