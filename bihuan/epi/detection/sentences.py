"""What a detector found, said in one sentence: place, period, count, expected, upper bound, ratio, baseline,
method and paper; or why the period was not assessed.

The numbers come from the same arrays as the alarm itself, so a sentence cannot say what the alarm does not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bihuan.epi.detection.results import REASONS, Method, Reason
from bihuan.epi.series import Frequency, spoken

if TYPE_CHECKING:
    from bihuan.epi.detection.results import Detection

#: Reasons that hold an alarm back although expected and upper bound are known.
_HELD_BACK = {Reason.ASSESSED, Reason.TOO_FEW_CASES}

#: Charts that add up alarm on what came before, long after the count itself is low again.
_LASTING = (" (lasting from earlier periods, not from this count)", "（由此前各期累积所致，并非本期偏高）")


def explain(detection: Detection, lang: str, series: int, time: int) -> str:
    """One sentence on `detection.at[time]` of series number `series`; Chinese if `lang` begins with "zh"."""
    chinese = lang.startswith("zh")
    day = detection.panel.dates[detection.at[time]]
    when = period_name(day, detection.panel.frequency, lang)
    name = spoken(detection.panel.names[series], lang)
    reason = Reason(int(detection.reason[series, time]))
    means = _method(detection.method, chinese=chinese)
    head = f"{name}，{when}：" if chinese else f"{name}, {when}: "
    end = "。" if chinese else "."
    if reason not in _HELD_BACK:
        return f"{head}{REASONS[reason][chinese]}{_stop(chinese)}{means}{end}"
    found = _found(detection, series, time, chinese=chinese)
    alarm = bool(detection.alarm[series, time])
    verdict = _verdict(alarm, reason, chinese=chinese)
    if (
        alarm
        and float(detection.panel.counts[series, detection.at[time]]) <= detection.expected[series, time]
    ):
        verdict += _LASTING[chinese]
    return f"{head}{found}{_stop(chinese)}{verdict}{_stop(chinese)}{means}{end}"


def period_name(day: np.datetime64, frequency: Frequency, lang: str) -> str:
    """The period that begins on `day`: a date, an ISO 8601 week with its first day, or a month."""
    first = day.astype("datetime64[D]").astype(object)
    chinese = lang.startswith("zh")
    if frequency == "monthly":
        return f"{first.year}年{first.month}月" if chinese else f"{first:%Y-%m}"
    if frequency == "daily":
        return f"{first.year}年{first.month}月{first.day}日" if chinese else first.isoformat()
    week = first.isocalendar()
    if chinese:
        return f"{week.year}年第{week.week}周（自{first.month}月{first.day}日）"
    return f"week {week.week} of {week.year} (from {first.isoformat()})"


def number(value: float) -> str:
    """A count as it is read aloud: whole numbers bare, others to two places, huge ones by power of ten."""
    if not np.isfinite(value):
        return "∞" if value > 0 else "-∞"
    if abs(value) >= 1e6:
        return f"{value:.3g}"
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _found(detection: Detection, i: int, t: int, *, chinese: bool) -> str:
    observed = float(detection.panel.counts[i, detection.at[t]])
    parts = [f"{number(observed)} 例" if chinese else _cases(observed)]
    expected, upper = float(detection.expected[i, t]), float(detection.upper[i, t])
    if not np.isnan(expected):
        parts.append(f"预期 {number(expected)} 例" if chinese else f"{number(expected)} expected")
        if expected > 0:
            ratio = number(observed / expected)
            parts.append(f"为预期的 {ratio} 倍" if chinese else f"{ratio} times the expected")
    if not np.isnan(upper):
        parts.append(f"上限 {number(upper)} 例" if chinese else f"upper bound {number(upper)}")
    parts += _evidence(float(detection.score[i, t]), float(detection.p_value[i, t]), chinese=chinese)
    return ("，" if chinese else ", ").join(parts)


def _evidence(score: float, p_value: float, *, chinese: bool) -> list[str]:
    """The p-value where there is one, else the statistic of the method."""
    if not np.isnan(p_value):
        return [f"p {_p(p_value)}"]
    if not np.isnan(score):
        return [f"统计量 {number(score)}" if chinese else f"statistic {number(score)}"]
    return []


def _p(value: float) -> str:
    return "< 0.0001" if value < 1e-4 else f"= {value:.2g}"


def _cases(value: float) -> str:
    return "1 case" if value == 1 else f"{number(value)} cases"


def _verdict(alarm: bool, reason: Reason, *, chinese: bool) -> str:
    if alarm:
        return "触发预警" if chinese else "alarm"
    if reason is Reason.TOO_FEW_CASES:
        return REASONS[reason][chinese]
    return "未触发预警" if chinese else "no alarm"


def _method(method: Method, *, chinese: bool) -> str:
    label = method.label_zh if chinese else method.label_en
    baseline = method.baseline_zh if chinese else method.baseline_en
    if chinese:
        return f"方法：{label}" + (f"，基线：{baseline}" if baseline else "") + f"（{method.paper}）"
    return f"method {label}" + (f", baseline {baseline}" if baseline else "") + f" ({method.paper})"


def _stop(chinese: bool) -> str:
    return "；" if chinese else "; "
