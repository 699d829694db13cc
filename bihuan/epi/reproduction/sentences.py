"""One sentence on a reproduction number or a growth rate, for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bihuan.epi.series import spoken

if TYPE_CHECKING:
    from bihuan.epi.reproduction.growth import Growth
    from bihuan.epi.reproduction.results import RtEstimate


def explain_rt(r: RtEstimate, lang: str, i: int, w: int) -> str:
    """Who, when, number and interval, cases, reason to doubt, method and paper."""
    from bihuan.epi.reproduction.results import REASONS, WITH_VALUE, RtReason

    chinese = lang.startswith("zh")
    name, first, last = spoken(r.panel.names[i], lang), r.from_dates[w], r.until_dates[w]
    reason = RtReason(int(r.reason[i, w]))
    word = REASONS[reason][1 if chinese else 0]
    if reason not in WITH_VALUE:
        return f"{name}，{first} 至 {last}：{word}。" if chinese else f"{name}, {first} to {last}: {word}."
    interval = _interval(r, i, w, chinese)
    about = f"{r.mean[i, w]:.2f}" + (f"（{interval}）" if chinese and interval else "")
    about += f" ({interval})" if interval and not chinese else ""
    cases, si = f"{r.cases[i, w]:.0f}", r.si.text()
    if chinese:
        doubt = "" if reason is RtReason.ASSESSED else f"；{word}"
        return (
            f"{name}，{first} 至 {last}：Rt 为 {about}，依据 {cases} 例{doubt}。"
            f"代际间隔 {si} 期；{r.method.label_zh}，{r.method.paper}。"
        )
    doubt = "" if reason is RtReason.ASSESSED else f"; {word}"
    return (
        f"{name}, {first} to {last}: Rt {about} from {cases} cases{doubt}; "
        f"serial interval {si} periods; {r.method.label_en}, {r.method.paper}."
    )


def _interval(r: RtEstimate, i: int, w: int, chinese: bool) -> str:
    """The widest symmetric pair of the quantiles there are."""
    p = np.asarray(r.probabilities)
    low, high = int(p.argmin()), int(p.argmax())
    if p.size < 2 or abs(p[low] + p[high] - 1) > 1e-9 or np.isnan(r.quantiles[i, w, low]):
        return ""
    share = f"{100 * (p[high] - p[low]):g}%"
    word = f"{share} 区间 " if chinese else f"{share} interval "
    return f"{word}{r.quantiles[i, w, low]:.2f}–{r.quantiles[i, w, high]:.2f}"


def explain_growth(g: Growth, lang: str, i: int) -> str:
    """Who, when, rate and interval, doubling or halving time, method and paper."""
    from bihuan.epi.reproduction.growth import PAPERS, REASONS, GrowthReason

    chinese = lang.startswith("zh")
    name, first, last = spoken(g.panel.names[i], lang), g.panel.dates[0], g.panel.dates[-1]
    reason = GrowthReason(int(g.reason[i]))
    if reason is not GrowthReason.ASSESSED:
        word = REASONS[reason][1 if chinese else 0]
        return f"{name}，{first} 至 {last}：{word}。" if chinese else f"{name}, {first} to {last}: {word}."
    short, long = (float(bound[i]) for bound in g.doubling_interval())
    time = abs(float(g.doubling[i]))
    english, label_zh, paper = PAPERS[g.method]
    rate = f"{g.rate[i]:+.3f}"
    level, between = f"{100 * g.level:g}%", f"{g.low[i]:+.3f} … {g.high[i]:+.3f}"
    if g.rate[i] == 0:
        return (
            f"{name}，{first} 至 {last}：无增减（{level} 区间 {between}）；{label_zh}，{paper}。"
            if chinese
            else f"{name}, {first} to {last}: no change ({level} interval {between}); {english}, {paper}."
        )
    if chinese:
        what = "翻倍" if g.rate[i] > 0 else "减半"
        upper = "无上限" if np.isinf(long) else f"{long:.1f}"
        return (
            f"{name}，{first} 至 {last}：每期增长率 {rate}（{level} 区间 {between}），"
            f"{what}时间 {time:.1f} 期（{short:.1f}–{upper}）；{label_zh}，{paper}。"
        )
    what = "doubling" if g.rate[i] > 0 else "halving"
    upper = "no upper bound" if np.isinf(long) else f"{long:.1f}"
    return (
        f"{name}, {first} to {last}: growth rate {rate} a period ({level} interval {between}), "
        f"{what} time {time:.1f} periods ({short:.1f}–{upper}); {english}, {paper}."
    )
