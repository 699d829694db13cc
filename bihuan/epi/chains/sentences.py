"""Chains and infectors in one sentence. An infector is never named without its support."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

from bihuan.epi.chains.results import CaseInfectors, Chains, Infectors

if TYPE_CHECKING:
    from bihuan.epi.chains.statistics import ChainStatistics, SerialInterval

_NAMED = 3
_SURE = 0.8
_EVIDENCE = {"dates": "日期", "contacts": "接触", "sequences": "序列"}


def explain_chains(found: Chains, lang: str) -> str:
    sizes, days = found.sizes, found.intervals
    most = max(found.out_degrees, default=0)
    if lang.startswith("zh"):
        text = f"{len(found.cases)} 例、{len(found.links)} 条关联，共 {len(sizes)} 条链"
        text += f"，最大 {sizes[0]} 例" if sizes else ""
        text += f"，一例最多传染 {most} 例" if most and found.directed else ""
        text += f"，发病间隔中位数 {median(days):g} 天（{len(days)} 对）" if days else ""
        text += f"，{len(found.odd_links)} 条关联的日期须核对" if found.odd_links else ""
        return text + "。"
    text = f"{len(found.cases)} cases and {len(found.links)} links in {len(sizes)} chains"
    text += f", the largest of {sizes[0]} cases" if sizes else ""
    text += f", one case infecting at most {most}" if most and found.directed else ""
    text += f", median onset-to-onset interval {median(days):g} days ({len(days)} pairs)" if days else ""
    text += f", {len(found.odd_links)} links whose dates should be checked" if found.odd_links else ""
    return text + "."


def explain_infectors(found: Infectors, lang: str) -> str:
    asked = [one for one in found.cases if not one.imported]
    sure = sum(one.best.support >= _SURE for one in asked)
    if lang.startswith("zh"):
        by = "、".join(_EVIDENCE[word] for word in found.evidence)
        return (
            f"{len(asked)} 例中有 {sure} 例的某一传染者支持度不低于 {_SURE:.0%}；依据：{by}；"
            f"两次独立抽样相差至多 {found.apart:.3f}（Jombart 2014）。"
        )
    return (
        f"{sure} of {len(asked)} cases have an infector with a support of {_SURE:.0%} or more, "
        f"from {', '.join(found.evidence)}; two independent runs differ by at most {found.apart:.3f} "
        "(Jombart 2014)."
    )


def explain_case(found: Infectors, one: CaseInfectors, lang: str) -> str:
    chinese = lang.startswith("zh")
    if one.imported:
        return (
            f"{one.case}（发病 {one.onset}）视为输入，未推断传染者。"
            if chinese
            else f"{one.case} (onset {one.onset}) is taken as imported; no infector is sought."
        )
    named = one.candidates[:_NAMED]
    left = 1 - sum(candidate.support for candidate in named)
    if chinese:
        by = "、".join(_EVIDENCE[word] for word in found.evidence)
        parts = [f"{c.infector or '名单之外'}（支持度 {c.support:.0%}）" for c in named]
        parts += [f"其余合计 {left:.0%}"] if left >= 0.005 else []
        return f"{one.case}（发病 {one.onset}）可能的传染者：{'、'.join(parts)}；依据：{by}（Jombart 2014）。"
    parts = [f"{c.infector or 'somebody not listed'} ({c.support:.0%})" for c in named]
    parts += [f"others together ({left:.0%})"] if left >= 0.005 else []
    return (
        f"{one.case} (onset {one.onset}) may have been infected by {', '.join(parts)}; support from "
        f"{', '.join(found.evidence)} (Jombart 2014)."
    )


#: What is odd about a link, in words.
ODD_WORDS = {
    "no date": ("without both onsets", "缺发病日期"),
    "backward": ("infectee ill first", "被传染者先发病"),
    "impossible": ("impossible by their dates", "日期上不可能"),
    "circle": ("in a circle", "互为来源"),
}


def explain_statistics(found: ChainStatistics, lang: str) -> list[str]:
    """What stands beside a picture of chains, a sentence a measure."""
    chinese = lang.startswith("zh")
    sentences = [_size(found, chinese=chinese)]
    if found.odd:
        told = [(ODD_WORDS[odd.value][chinese], n) for odd, n in found.odd.items()]
        if chinese:
            sentences.append("关联存疑：" + "、".join(f"{word} {n} 条" for word, n in told) + "。")
        else:
            sentences.append("Odd links: " + ", ".join(f"{n} {word}" for word, n in told) + ".")
    sentences += _interval(found.serial_interval, lang)
    if found.offspring is not None:
        sentences.append(found.offspring.explain(lang))
    if found.spreaders:
        named = [f"{one.case} ({one.infected})" for one in found.spreaders[:5]]
        least = found.offspring.superspreader_from if found.offspring else 0
        sentences.append(
            f"超级传播者（传播 {least} 例及以上）{len(found.spreaders)} 例：{'、'.join(named)}。"
            if chinese
            else f"{len(found.spreaders)} superspreaders ({least} or more): {', '.join(named)}."
        )
    return sentences


def _size(found: ChainStatistics, *, chinese: bool) -> str:
    last = max(len(found.generations) - 1, 0)
    if chinese:
        return (
            f"{found.cases} 例、{found.links} 条关联，{found.chains} 条链，最大 {found.largest} 例，"
            f"最多 {last} 代；{found.alone} 例未关联。"
        )
    return (
        f"{found.cases} cases and {found.links} links in {found.chains} chains, the largest of "
        f"{found.largest}, up to generation {last}; {found.alone} cases without a link."
    )


def _interval(found: SerialInterval, lang: str) -> list[str]:
    if found.mean is None:
        return []
    sd = "–" if found.sd is None else f"{found.sd:.1f}"
    low, middle, high = (found.quantiles[q] for q in (0.05, 0.5, 0.95))
    if lang.startswith("zh"):
        text = f"代际间隔平均 {found.mean:.1f} 天（标准差 {sd}），中位数 {middle:g} 天，"
        text += f"5%～95% 为 {low:g}～{high:g} 天；{found.n} 对，其中 {found.negative} 对为负。"
    else:
        text = f"Serial interval: mean {found.mean:.1f} days (SD {sd}), median {middle:g}, "
        text += f"5 to 95 % {low:g} to {high:g}; {found.n} pairs, {found.negative} of them negative."
    return [text, *([found.fit.explain(lang)] if found.fit else [])]
