"""One sentence on a nowcast, for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bihuan.epi.series import spoken

if TYPE_CHECKING:
    from bihuan.epi.nowcast.results import Nowcast


def explain(n: Nowcast, lang: str, i: int, k: int) -> str:
    """Who, when, reported, expected, interval, completeness, reason to doubt, method and paper."""
    from bihuan.epi.nowcast.results import REASONS, NowcastReason

    chinese = lang.startswith("zh")
    reason = NowcastReason(int(n.reason[i, k]))
    word = REASONS[reason][1 if chinese else 0]
    name, day, reported = spoken(n.names[i], lang), n.dates[k], f"{n.observed[i, k]:g}"
    if reason is NowcastReason.NO_DELAYS:
        return (
            f"{name}，{day}：已报告 {reported} 例；{word}。"
            if chinese
            else f"{name}, {day}: {reported} reported; {word}."
        )
    number, bounds = f"{n.estimate[i, k]:.0f}", f"{n.low[i, k]:.0f}–{n.high[i, k]:.0f}"
    level, share = f"{100 * n.level:g}%", f"{100 * n.completeness[i, k]:.0f}%"
    if chinese:
        doubt = "" if reason is NowcastReason.ASSESSED else f"；{word}"
        return (
            f"{name}，{day}：截至 {n.now} 已报告 {reported} 例，预计最终 {number} 例"
            f"（{level} 区间 {bounds}），估计已报告 {share}{doubt}；{n.method.label_zh}，{n.method.paper}。"
        )
    doubt = "" if reason is NowcastReason.ASSESSED else f"; {word}"
    return (
        f"{name}, {day}: {reported} reported by {n.now}, {number} expected in the end "
        f"({level} interval {bounds}), about {share} reported so far{doubt}; "
        f"{n.method.label_en}, {n.method.paper}."
    )
