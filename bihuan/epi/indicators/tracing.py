"""Indicators of contact tracing (design notes, protocols, section 13), from what was known at a moment.

Times may be instants or calendar dates. With dates alone "within 24 hours" is by the next day and "within 12
hours" the same day: no finer can be told.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from bihuan.epi.delays import times
from bihuan.epi.errors import InputError
from bihuan.epi.indicators.reading import Columns, Tables, in_time, known_days, moment
from bihuan.epi.indicators.results import Indicator, Indicators, Wanted
from bihuan.epi.proportions import attack_rate
from bihuan.epi.series import Floats

PLAYBOOK = "Resolve to Save Lives, Covid-19 contact tracing playbook"
USDR = "US Digital Response, contact tracing playbook"
WHO_ANNEX = "WHO, annex on public health criteria, 2020-05-12"
WHO_STRATEGY = "WHO, Covid-19 strategy update, 2020-04-14"
OWN = "own rule"


@dataclass(frozen=True, slots=True)
class _Timely:
    """Share of records whose `ends` all came within `hours` of `start`."""

    key: str
    label_en: str
    label_zh: str
    table: str
    start: str
    ends: tuple[str, ...]
    hours: float
    target: float | None
    source: str


TIMELY = (
    _Timely("reported_24h", "Cases reported within 24 h of the specimen", "采样后 24 小时内报告的病例",
            "cases", "sampled_at", ("reported_at",), 24, None, PLAYBOOK),
    _Timely("interviewed_isolated_24h", "Cases interviewed and isolated within 24 h of report",
            "报告后 24 小时内完成流调并隔离的病例",
            "cases", "reported_at", ("interviewed_at", "isolated_at"), 24, None, PLAYBOOK),
    _Timely("contacts_24h", "Contacts notified and quarantined within 24 h of being named",
            "提供后 24 小时内通知并隔离的接触者",
            "contacts", "elicited_at", ("notified_at", "quarantined_at"), 24, None, PLAYBOOK),
    _Timely("symptomatic_evaluated_24h", "Contacts with symptoms evaluated within 24 h",
            "出现症状后 24 小时内评估的接触者",
            "contacts", "symptoms_at", ("evaluated_at",), 24, None, PLAYBOOK),
    _Timely("symptomatic_tested_12h", "Contacts with symptoms tested within 12 h",
            "出现症状后 12 小时内检测的接触者",
            "contacts", "symptoms_at", ("tested_at",), 12, None, USDR),
    _Timely("symptomatic_tested_24h", "Contacts with symptoms tested within 24 h",
            "出现症状后 24 小时内检测的接触者",
            "contacts", "symptoms_at", ("tested_at",), 24, 0.9, USDR),
    _Timely("result_24h", "Results within 24 h of sampling", "采样后 24 小时内出结果",
            "cases", "sampled_at", ("result_at",), 24, 1.0, WHO_STRATEGY),
    _Timely("settled_48h", "Isolated, tested and confirmed or released within 48 h of onset",
            "发病后 48 小时内隔离、检测并确诊或排除",
            "cases", "onset_at", ("isolated_at", "sampled_at", "classified_at"), 48, 0.9, WHO_ANNEX),
)  # fmt: skip


def tracing_indicators(
    cases: Columns,
    contacts: Columns | None = None,
    *,
    follow_ups: Columns | None = None,
    tests: Columns | None = None,
    as_of: Any = None,
) -> Indicators:
    """Every indicator that the columns allow; the others say which column they lack.

    cases: case_id, onset_at, sampled_at, result_at, reported_at, confirmed_at, classified_at (confirmed or
    released), interviewed_at, isolated_at, n_contacts, was_quarantined_contact, is_linked.
    contacts: case_id, elicited_at, notified_at, quarantined_at, symptoms_at, evaluated_at, tested_at,
    became_case, due_to_finish_at, finished_at.
    follow_ups: day, due, done. tests: day, tested, positive.
    As of a moment (a day is its end): later facts are not yet known, and a clock still running is pending.
    """
    tables = {
        "cases": cases,
        "contacts": contacts or {},
        "follow_ups": follow_ups or {},
        "tests": tests or {},
    }
    read = Tables(tables, np.inf if as_of is None else moment(as_of))
    items = [_timely(read, one) for one in TIMELY]
    items += [
        _interviewed(read),
        _elicited(read),
        _tightened(read),
        _traced_72h(read),
        _among_quarantined(read),
        _unlinked(read),
        _followed(read),
        _finished(read),
        _needed_to_interview(read),
        _onset_to_isolation(read),
        _positivity(read),
        _decline(read),
    ]
    return Indicators(tuple(items))


def _share(
    key: str,
    labels: tuple[str, str],
    source: str,
    met: Floats,
    *,
    target: float | None = None,
    wanted: Wanted = "at least",
    pending: int = 0,
) -> Indicator:
    """From 1, 0 and NaN (unknown)."""
    known = ~np.isnan(met)
    share = attack_rate(int(met[known].sum()), int(known.sum()), what=labels)
    nothing = not known.any()
    return Indicator(
        key,
        *labels,
        source,
        share=share,
        target=target,
        wanted=wanted if target is not None else "none",
        pending=pending,
        unknown=int((~known).sum()) - pending,
        reason_en="no record is due and known" if nothing else "",
        reason_zh="没有到期且可判断的记录" if nothing else "",
    )


def _lacks(key: str, labels: tuple[str, str], source: str, column: str) -> Indicator:
    return Indicator(
        key,
        *labels,
        source,
        reason_en=f"there is no column {column}",
        reason_zh=f"没有 {column} 列",
    )


def _timely(read: Tables, one: _Timely) -> Indicator:
    labels = (one.label_en, one.label_zh)
    lacking = read.lacking(one.table, one.start, *one.ends)
    if lacking:
        return _lacks(one.key, labels, one.source, lacking)
    met, pending = in_time(
        read.moments(one.table, one.start),
        [read.moments(one.table, end) for end in one.ends],
        one.hours / 24,
        read.now,
    )
    return _share(one.key, labels, one.source, met, target=one.target, pending=pending)


def _interviewed(read: Tables) -> Indicator:
    labels = ("Cases interviewed", "已流调的病例")
    lacking = read.lacking("cases", "interviewed_at")
    if lacking:
        return _lacks("interviewed", labels, USDR, lacking)
    met = (~np.isnan(read.moments("cases", "interviewed_at"))).astype(float)
    return _share("interviewed", labels, USDR, met, target=1.0)


def _elicited(read: Tables) -> Indicator:
    labels = ("Cases that named at least one contact", "提供至少一名接触者的病例")
    if read.lacking("cases", "n_contacts"):
        return _lacks("contacts_named", labels, USDR, "cases.n_contacts")
    counts = read.counts("cases", "n_contacts")
    return _share("contacts_named", labels, USDR, np.where(np.isnan(counts), np.nan, counts > 0), target=0.9)


def _tightened(read: Tables) -> Indicator:
    labels = ("Cases that named no contact (tighten above 20 %)", "未提供接触者的病例（超过 20% 须加强）")
    if read.lacking("cases", "n_contacts"):
        return _lacks("no_contact_named", labels, USDR, "cases.n_contacts")
    counts = read.counts("cases", "n_contacts")
    none = np.where(np.isnan(counts), np.nan, counts == 0)
    return _share("no_contact_named", labels, USDR, none, target=0.2, wanted="at most")


def _traced_72h(read: Tables) -> Indicator:
    """A case counts when every contact of it was quarantined within 72 h of its confirmation."""
    labels = (
        "Cases whose contacts were traced and quarantined within 72 h of confirmation",
        "确诊后 72 小时内接触者全部追踪并隔离的病例",
    )
    lacking = read.lacking("cases", "case_id", "confirmed_at") or read.lacking(
        "contacts", "case_id", "quarantined_at"
    )
    if lacking:
        return _lacks("traced_72h", labels, WHO_ANNEX, lacking)
    ids = {name: i for i, name in enumerate(read.tables["cases"]["case_id"])}
    of = np.array([ids.get(name, -1) for name in read.tables["contacts"]["case_id"]], dtype=np.intp)
    confirmed, quarantined = read.moments("cases", "confirmed_at"), read.moments("contacts", "quarantined_at")
    placed = of >= 0
    last = np.full(confirmed.size, -np.inf)
    np.maximum.at(last, of[placed], np.where(np.isnan(quarantined[placed]), np.inf, quarantined[placed]))
    met, pending = in_time(confirmed, [np.where(np.isposinf(last), np.nan, last)], 3.0, read.now)
    met[np.isneginf(last)] = np.nan  # no contact at all: nothing to trace
    return _share("traced_72h", labels, WHO_ANNEX, met, target=0.8, pending=pending)


def _among_quarantined(read: Tables) -> Indicator:
    labels = ("New cases that were known contacts in quarantine", "新病例中此前已隔离的接触者")
    if read.lacking("cases", "was_quarantined_contact"):
        return _lacks("from_quarantine", labels, WHO_ANNEX, "cases.was_quarantined_contact")
    flags = read.flags("cases", "was_quarantined_contact")
    return _share("from_quarantine", labels, WHO_ANNEX, flags, target=0.8)


def _unlinked(read: Tables) -> Indicator:
    """The share without a link in the newest seven days of report, beside that of the seven before."""
    labels = ("Cases with no link", "无流行病学关联的病例")
    lacking = read.lacking("cases", "is_linked", "reported_at")
    if lacking:
        return _lacks("unlinked", labels, PLAYBOOK, lacking)
    linked, reported = read.flags("cases", "is_linked"), np.floor(read.moments("cases", "reported_at"))
    known = ~np.isnan(linked) & ~np.isnan(reported)
    if not known.any():
        return Indicator(
            "unlinked", *labels, PLAYBOOK, reason_en="no case tells", reason_zh="没有可判断的病例"
        )
    newest = np.floor(read.now) if np.isfinite(read.now) else reported[known].max()
    weeks = [known & (reported > newest - 7 * (k + 1)) & (reported <= newest - 7 * k) for k in (0, 1)]
    shares = [float(1 - linked[week].mean()) if week.any() else None for week in weeks]
    return Indicator(
        "unlinked",
        *labels,
        PLAYBOOK,
        value=shares[0],
        before=shares[1],
        unit_en="%",
        unit_zh="%",
        wanted="falling",
        unknown=int((~known).sum()),
        reason_en="no case was reported in the newest week",
        reason_zh="最近一周没有报告病例",
    )


def _followed(read: Tables) -> Indicator:
    labels = ("Contacts followed up of those due that day", "当日应随访接触者中已随访者")
    lacking = read.lacking("follow_ups", "due", "done")
    if lacking:
        return _lacks("followed_up", labels, WHO_ANNEX, lacking)
    due, done = read.counts("follow_ups", "due"), read.counts("follow_ups", "done")
    told = ~np.isnan(due) & ~np.isnan(done) & known_days(read, "follow_ups")
    share = attack_rate(int(np.minimum(done, due)[told].sum()), int(due[told].sum()), what=labels)
    return Indicator(
        "followed_up",
        *labels,
        WHO_ANNEX,
        share=share,
        target=0.8,
        wanted="at least",
        unknown=int((~told).sum()),
        reason_en="nobody was due",
        reason_zh="没有应随访者",
    )


def _finished(read: Tables) -> Indicator:
    labels = ("Contacts that completed quarantine", "完成隔离观察的接触者")
    lacking = read.lacking("contacts", "due_to_finish_at", "finished_at")
    if lacking:
        return _lacks("completed", labels, PLAYBOOK, lacking)
    due = times.read(read.tables["contacts"]["due_to_finish_at"], field="contacts.due_to_finish_at").values
    finished = read.moments("contacts", "finished_at")
    met = (~np.isnan(finished)).astype(float)
    running = ~np.isnan(due) & (due > read.now) & np.isnan(finished)
    met[np.isnan(due) | running] = np.nan
    return _share("completed", labels, PLAYBOOK, met, pending=int(running.sum()))


def _needed_to_interview(read: Tables) -> Indicator:
    """Interviews for each new case found among the contacts they named."""
    labels = ("Cases interviewed for each new case found", "每发现一例新病例所需流调数")
    lacking = read.lacking("cases", "interviewed_at") or read.lacking("contacts", "became_case")
    if lacking:
        return _lacks("needed_to_interview", labels, PLAYBOOK, lacking)
    interviews = int((~np.isnan(read.moments("cases", "interviewed_at"))).sum())
    found = int(np.nansum(read.flags("contacts", "became_case")))
    return Indicator(
        "needed_to_interview",
        *labels,
        PLAYBOOK,
        value=interviews / found if found else None,
        unit_en="interviews",
        unit_zh="次",
        reason_en="no new case was found among contacts",
        reason_zh="接触者中未发现新病例",
    )


def _onset_to_isolation(read: Tables) -> Indicator:
    labels = ("Median days from onset to isolation", "发病至隔离中位天数")
    lacking = read.lacking("cases", "onset_at", "isolated_at")
    if lacking:
        return _lacks(
            "onset_to_isolation", labels, "Bi 2020 (Shenzhen: 4.6 by symptoms, 2.7 traced)", lacking
        )
    gap = np.floor(read.moments("cases", "isolated_at")) - np.floor(read.moments("cases", "onset_at"))
    known = ~np.isnan(gap)
    return Indicator(
        "onset_to_isolation",
        *labels,
        "Bi 2020 (Shenzhen: 4.6 by symptoms, 2.7 traced)",
        value=float(np.median(gap[known])) if known.any() else None,
        unit_en="days",
        unit_zh="天",
        unknown=int((~known).sum()),
        reason_en="no case has both dates",
        reason_zh="没有两个日期齐全的病例",
    )


def _positivity(read: Tables) -> Indicator:
    """The highest daily share of the newest 14 days: below 5 % means it stayed so."""
    labels = ("Highest daily positivity of two weeks", "两周内每日阳性率最高值")
    lacking = read.lacking("tests", "day", "tested", "positive")
    if lacking:
        return _lacks("positivity", labels, WHO_ANNEX, lacking)
    day = np.floor(times.read(read.tables["tests"]["day"], field="tests.day").values)
    tested, positive = read.counts("tests", "tested"), read.counts("tests", "positive")
    with np.errstate(invalid="ignore"):
        if (positive > tested).any():
            raise InputError(
                "more positive than tested on a day", "某日阳性数多于检测数", field="tests.positive"
            )
        told = (tested > 0) & ~np.isnan(positive) & (day <= read.now)
    days = np.unique(day[told])
    window = days[days > days[-1] - 14] if days.size else days
    if window.size < 14:
        return Indicator(
            "positivity",
            *labels,
            WHO_ANNEX,
            reason_en=f"tests of {window.size} of the 14 days are known",
            reason_zh=f"14 天中仅有 {window.size} 天的检测数",
        )
    shares = [positive[told & (day == d)].sum() / tested[told & (day == d)].sum() for d in window]
    return Indicator(
        "positivity", *labels, WHO_ANNEX, value=float(max(shares)), unit_en="%", unit_zh="%",
        target=0.05, wanted="at most",
    )  # fmt: skip


def _decline(read: Tables) -> Indicator:
    """Fall of weekly new cases over three weeks: the newest seven days against those 21 days earlier."""
    labels = ("Decline of new cases over three weeks", "三周内新增病例降幅")
    if read.lacking("cases", "reported_at"):
        return _lacks("decline", labels, WHO_ANNEX, "cases.reported_at")
    reported = np.floor(read.moments("cases", "reported_at"))
    reported = reported[~np.isnan(reported)]
    newest = np.floor(read.now) if np.isfinite(read.now) else (reported.max() if reported.size else 0.0)
    now, then = (int(((reported > newest - k - 7) & (reported <= newest - k)).sum()) for k in (0.0, 21.0))
    return Indicator(
        "decline",
        *labels,
        WHO_ANNEX,
        value=1 - now / then if then else None,
        unit_en="%",
        unit_zh="%",
        target=0.5,
        wanted="at least",
        reason_en="there was no case three weeks before",
        reason_zh="三周前没有病例",
    )
