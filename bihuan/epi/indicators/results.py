"""One indicator, and a set of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from bihuan.epi.proportions import Proportion

Wanted = Literal["at least", "at most", "falling", "rising", "none"]
_SIGNS = {"at least": "≥", "at most": "≤"}
_TRENDS_ZH = {"falling": "应下降", "rising": "应上升"}


@dataclass(frozen=True, slots=True)
class Indicator:
    """A share (`share`) or another figure (`value` in `unit`), held against `target`.

    `met` is None without a target, or when it could not be assessed: then `reason` says why. `pending`: not
    yet due by then; `unknown`: the record lacks the time the clock starts from. Neither is in the figure.
    For a trend `value` is the figure of the newest week and `before` that of the week before it.
    """

    key: str
    label_en: str
    label_zh: str
    source: str
    share: Proportion | None = None
    value: float | None = None
    before: float | None = None
    unit_en: str = ""
    unit_zh: str = ""
    target: float | None = None
    wanted: Wanted = "none"
    pending: int = 0
    unknown: int = 0
    reason_en: str = ""
    reason_zh: str = ""

    @property
    def figure(self) -> float | None:
        return self.share.share if self.share is not None else self.value

    @property
    def met(self) -> bool | None:
        found = self.figure
        if found is None:
            return None
        if self.wanted in ("falling", "rising"):
            if self.before is None or self.value is None:
                return None
            return self.value < self.before if self.wanted == "falling" else self.value > self.before
        if self.target is None or self.wanted == "none":
            return None
        return found >= self.target if self.wanted == "at least" else found <= self.target

    def row(self) -> dict[str, Any]:
        share = self.share
        return {
            "indicator": self.key,
            "figure": self.figure,
            "n": share.n if share else None,
            "of": share.of if share else None,
            "low": share.low if share else None,
            "high": share.high if share else None,
            "target": self.target,
            "wanted": self.wanted,
            "met": self.met,
            "pending": self.pending,
            "unknown": self.unknown,
            "reason": self.reason_en,
            "source": self.source,
        }

    def explain(self, lang: str = "en") -> str:
        """One sentence: figure, counts, target, what is not in it, source."""
        return self._zh() if lang.startswith("zh") else self._en()

    def _en(self) -> str:
        if self.figure is None:
            return f"{self.label_en}: not assessed because {self.reason_en}."
        parts = [f"{self._number('en')}{self._counts()}", self._goal("en")]
        parts += [f"{n} {word}" for n, word in self._left(("not yet due", "without a start")) if n]
        return f"{self.label_en}: {'; '.join(p for p in parts if p)} ({self.source})."

    def _zh(self) -> str:
        if self.figure is None:
            return f"{self.label_zh}：未评估，{self.reason_zh}。"
        parts = [f"{self._number('zh')}{self._counts()}", self._goal("zh")]
        parts += [f"{word} {n}" for n, word in self._left(("未到时限", "起点不明")) if n]
        return f"{self.label_zh}：{'；'.join(p for p in parts if p)}（{self.source}）。"

    def _number(self, lang: str) -> str:
        figure = self.figure or 0.0
        if self.share is not None or self.unit_en == "%":
            return f"{100 * figure:.1f}%"
        return f"{figure:.1f} {self.unit_zh if lang == 'zh' else self.unit_en}".rstrip()

    def _counts(self) -> str:
        return f" [{self.share.n}/{self.share.of}]" if self.share else ""

    def _goal(self, lang: str) -> str:
        verdict = {True: ("met", "达标"), False: ("not met", "未达标"), None: ("", "")}[self.met]
        word = verdict[1] if lang == "zh" else verdict[0]
        if self.wanted in _SIGNS and self.target is not None:
            percent = self.share is not None or self.unit_en == "%"
            goal = f"{100 * self.target:g}%" if percent else f"{self.target:g}"
            name = "目标" if lang == "zh" else "target"
            return f"{name} {_SIGNS[self.wanted]} {goal} {word}".rstrip()
        if self.wanted in _TRENDS_ZH and self.before is not None:
            before = f"{100 * self.before:.1f}%"
            if lang == "zh":
                return f"{_TRENDS_ZH[self.wanted]}（前一周 {before}）{word}"
            return f"should be {self.wanted} (week before {before}) {word}"
        return ""

    def _left(self, words: tuple[str, str]) -> tuple[tuple[int, str], tuple[int, str]]:
        return (self.pending, words[0]), (self.unknown, words[1])


@dataclass(frozen=True, slots=True)
class Indicators:
    """A set of indicators as of one moment."""

    items: tuple[Indicator, ...]

    def __getitem__(self, key: str) -> Indicator:
        for item in self.items:
            if item.key == key:
                return item
        raise KeyError(key)

    def rows(self) -> Iterator[dict[str, Any]]:
        for item in self.items:
            yield item.row()

    def explain(self, lang: str = "en") -> str:
        """One sentence an indicator, in their order."""
        return "\n".join(item.explain(lang) for item in self.items)
