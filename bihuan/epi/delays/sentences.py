"""Fitted delays in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bihuan.epi.delays.results import DelayDistribution

FAMILY_ZH = {"gamma": "伽马分布", "lognormal": "对数正态分布", "weibull": "韦布尔分布", "normal": "正态分布"}
FAMILY_EN = {"gamma": "gamma", "lognormal": "lognormal", "weibull": "Weibull", "normal": "normal"}
_CENSORING = {
    "double": ("both days taken as windows (Reich 2009)", "两端均按时间窗处理（Reich 2009）"),
    "single": ("one end taken as a window (Reich 2009)", "一端按时间窗处理（Reich 2009）"),
    "none": ("days taken as exact", "日期按精确时点处理"),
}


def explain(found: DelayDistribution, lang: str) -> str:
    return _zh(found) if lang.startswith("zh") else _en(found)


def _en(d: DelayDistribution) -> str:
    best = d.best
    left = [
        f"{n} {word}"
        for n, word in (
            (d.missing, "without a date"),
            (d.impossible, "ending before they began"),
            (d.later, "ended later and left out"),
        )
        if n
    ]
    cut = "" if d.until is None else f", corrected for what had not ended by {d.until} (Seaman 2022)"
    if not best.settled:
        return (
            f"{d.what_en}: no distribution can be told from {d.n} records (seen mean {d.naive_mean:.1f} days)"
            f"{', ' + ', '.join(left) if left else ''}; more records or a longer follow-up are needed{cut}."
        )
    return (
        f"{d.what_en}: median {best.quantiles[0.5].text()} days, mean {best.mean.text()} days "
        f"({100 * d.level:g}% intervals; seen mean {d.naive_mean:.1f}), "
        f"{FAMILY_EN[best.family]} by maximum likelihood"
        f"{f' with the lowest AIC of {len(d.fits)} ({best.aic:.1f})' if len(d.fits) > 1 else ''}, "
        f"{d.n} records{', ' + ', '.join(left) if left else ''}; "
        f"{_CENSORING[d.censoring][0]}{cut}."
    )


def _zh(d: DelayDistribution) -> str:
    best = d.best
    left = [
        f"{n} 条{word}"
        for n, word in ((d.missing, "缺日期"), (d.impossible, "止于起始之前"), (d.later, "晚于截止日未计入"))
        if n
    ]
    cut = "" if d.until is None else f"，并校正截至 {d.until} 尚未发生者（右截断，Seaman 2022）"
    if not best.settled:
        return (
            f"{d.what_zh}：{d.n} 条记录不足以确定分布（观察均值 {d.naive_mean:.1f} 天）"
            f"{'，' + '，'.join(left) if left else ''}；需更多记录或更长随访{cut}。"
        )
    return (
        f"{d.what_zh}：中位数 {best.quantiles[0.5].text('zh')}天，均值 {best.mean.text('zh')}天"
        f"（{100 * d.level:g}% 区间；观察均值 {d.naive_mean:.1f}），"
        f"{FAMILY_ZH[best.family]}（最大似然法"
        f"{f'，{len(d.fits)} 种分布中 AIC 最低：{best.aic:.1f}' if len(d.fits) > 1 else ''}），"
        f"记录 {d.n} 条{'，' + '，'.join(left) if left else ''}；{_CENSORING[d.censoring][1]}{cut}。"
    )
