"""A scan in one sentence, English or Chinese."""

from __future__ import annotations

from bihuan.epi.errors import InputError
from bihuan.epi.scan.results import Cluster, Outcome, Scan

_MODELS = {
    "permutation": (
        "space-time permutation scan (Kulldorff 2005)",
        "时空重排扫描（Kulldorff 2005）",
    ),
    "poisson": ("Poisson scan (Kulldorff 1997, 2001)", "泊松扫描（Kulldorff 1997, 2001）"),
    "expectation": ("expectation-based Poisson scan (Neill 2005)", "期望型泊松扫描（Neill 2005）"),
}
_NONE = {
    Outcome.NO_CASES: ("there are no cases to scan", "没有可扫描的病例"),
    Outcome.NO_EXCESS: ("no circle has more cases than expected", "没有任何区域的病例多于期望"),
    Outcome.ALL_BY_CHANCE: (
        "nothing was found that chance alone does not give every time",
        "所见聚集均可由偶然产生",
    ),
}
_PLACES_NAMED = 6
_DAYS_A_YEAR = 365.25


def explain(scan: Scan, lang: str, rank: int) -> str:
    chinese = lang.startswith("zh")
    if not scan.clusters:
        en, zh = _NONE[scan.outcome]
        return f"{_where_zh(scan)}：{zh}。" if chinese else f"{_where_en(scan)}: {en}."
    if not 1 <= rank <= len(scan.clusters):
        raise InputError(
            f"there are {len(scan.clusters)} clusters", f"共有 {len(scan.clusters)} 个聚集", field="cluster"
        )
    one = scan.clusters[rank - 1]
    return _zh(scan, one) if chinese else _en(scan, one)


def _en(scan: Scan, one: Cluster) -> str:
    places = ", ".join(one.members[:_PLACES_NAMED])
    if len(one.members) > _PLACES_NAMED:
        places += f" and {len(one.members) - _PLACES_NAMED} more"
    when = "" if scan.spatial else f" from {one.first} to {one.last}"
    risk = "" if one.relative_risk is None else f", relative risk {one.relative_risk:.2f}"
    return (
        f"Cluster {one.rank}: {places} (around {one.center}){when}: {one.observed} cases, "
        f"{one.expected:.2f} expected, ratio {one.ratio:.2f}{risk}, log likelihood ratio {one.llr:.2f}, "
        f"{_chance_en(scan, one)}; {_where_en(scan)}."
    )


def _zh(scan: Scan, one: Cluster) -> str:
    places = "、".join(one.members[:_PLACES_NAMED])
    if len(one.members) > _PLACES_NAMED:
        places += f"等 {len(one.members)} 处"
    when = "" if scan.spatial else f"，{one.first} 至 {one.last}"
    risk = "" if one.relative_risk is None else f"，相对危险度 {one.relative_risk:.2f}"
    return (
        f"聚集 {one.rank}：{places}（中心 {one.center}）{when}：观察 {one.observed} 例，"
        f"期望 {one.expected:.2f} 例，比值 {one.ratio:.2f}{risk}，"
        f"对数似然比 {one.llr:.2f}，{_chance_zh(scan, one)}；{_where_zh(scan)}。"
    )


def _chance_en(scan: Scan, one: Cluster) -> str:
    if one.p_value is None:
        return "not assessed against chance (no replications)"
    how = "Gumbel tail of " if one.p_method == "gumbel" else ""
    text = f"p = {one.p_value:.2g} ({how}{scan.replications} replications)"
    if one.recurrence_days is None:
        return text
    return f"{text}, by chance once in {_span(one.recurrence_days, 'days', 'years')}"


def _chance_zh(scan: Scan, one: Cluster) -> str:
    if one.p_value is None:
        return "未作随机检验（无重复模拟）"
    how = "，Gumbel 尾部" if one.p_method == "gumbel" else ""
    text = f"p = {one.p_value:.2g}（{scan.replications} 次模拟{how}）"
    if one.recurrence_days is None:
        return text
    return f"{text}，偶然情况下约 {_span(one.recurrence_days, '天', '年')}一遇"


def _span(days: float, day: str, year: str) -> str:
    if days < _DAYS_A_YEAR:
        return f"{days:.0f} {day}"
    return f"{days / _DAYS_A_YEAR:,.0f} {year}"


def _where_en(scan: Scan) -> str:
    way = "purely spatial" if scan.spatial else "prospective" if scan.prospective else "retrospective"
    return (
        f"{way} {_MODELS[scan.model][0]} of {len(scan.names)} places, {scan.first} to {scan.last}, "
        f"{scan.total} cases"
        if not scan.spatial
        else f"{way} {_MODELS[scan.model][0]} of {len(scan.names)} places, {scan.total} cases"
    )


def _where_zh(scan: Scan) -> str:
    way = "纯空间" if scan.spatial else "前瞻性" if scan.prospective else "回顾性"
    when = "" if scan.spatial else f"，{scan.first} 至 {scan.last}"
    return f"{way}{_MODELS[scan.model][1]}，{len(scan.names)} 个地点{when}，共 {scan.total} 例"
