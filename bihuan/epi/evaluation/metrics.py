"""How well a detector finds known outbreaks, at its own threshold or at an equal false-alarm rate."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from bihuan.epi.detection.results import Bools
from bihuan.epi.errors import InputError, NotEnoughData
from bihuan.epi.evaluation.injection import Labelled
from bihuan.epi.evaluation.signals import Detector, Signals, signals_of
from bihuan.epi.proportions import wilson
from bihuan.epi.series import Floats


@dataclass(frozen=True, slots=True, eq=False)
class Counts:
    """Per series, as sums: `hit` and `outbreak_periods`, `false` and `quiet_periods`, outbreaks `found` of
    `outbreaks`, and the periods waited until found (`delay`, over those found) or until over (`wait`, over
    all)."""

    hit: Floats
    outbreak_periods: Floats
    false: Floats
    quiet_periods: Floats
    found: Floats
    outbreaks: Floats
    delay: Floats
    wait: Floats

    def mixed(self, other: Counts, weight: float) -> Counts:
        """Between two thresholds: what a detector gives that uses the other with chance `weight`."""
        pairs = ((getattr(self, f), getattr(other, f)) for f in Counts.__slots__)
        return Counts(*((1 - weight) * a + weight * b for a, b in pairs))


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """Figures over all series; None where there was nothing to divide by. Delays are in periods.

    `probability_of_detection`: outbreaks with an alarm while they last. `sensitivity`: outbreak periods with
    an alarm. `false_alarm_rate`: quiet periods with one. `ppv`: alarms that fell in an outbreak.
    `mean_delay`: from start to first alarm, of those found. `mean_wait`: the same with a missed outbreak
    counted at its length. `at_rate`: the false-alarm rate the threshold was set to, None for its own.
    """

    name: str
    series: tuple[str, ...]
    counts: Counts
    at_rate: float | None = None
    level: float = 0.95

    @property
    def probability_of_detection(self) -> float | None:
        return _ratio(self.counts.found, self.counts.outbreaks)

    @property
    def sensitivity(self) -> float | None:
        return _ratio(self.counts.hit, self.counts.outbreak_periods)

    @property
    def false_alarm_rate(self) -> float | None:
        return _ratio(self.counts.false, self.counts.quiet_periods)

    @property
    def specificity(self) -> float | None:
        rate = self.false_alarm_rate
        return None if rate is None else 1 - rate

    @property
    def ppv(self) -> float | None:
        return _ratio(self.counts.hit, self.counts.hit + self.counts.false)

    @property
    def mean_delay(self) -> float | None:
        return _ratio(self.counts.delay, self.counts.found)

    @property
    def mean_wait(self) -> float | None:
        return _ratio(self.counts.wait, self.counts.outbreaks)

    @property
    def detection_interval(self) -> tuple[float, float] | None:
        """Wilson's interval of the probability of detection."""
        n = round(float(self.counts.outbreaks.sum()))
        return wilson(round(float(self.counts.found.sum())), n, self.level) if n else None

    def figures(self) -> dict[str, float | None]:
        names = (
            "probability_of_detection",
            "sensitivity",
            "false_alarm_rate",
            "ppv",
            "mean_delay",
            "mean_wait",
        )
        return {name: getattr(self, name) for name in names}

    def rows(self, *, by_series: bool = False) -> Iterator[dict[str, Any]]:
        """One dict, or one a series."""
        if not by_series:
            yield {"detector": self.name, **self.figures(), **self._sums(slice(None))}
            return
        for i, name in enumerate(self.series):
            one = Evaluation(self.name, (name,), _take(self.counts, i), self.at_rate, self.level)
            yield {"detector": self.name, "series": name, **one.figures(), **self._sums(i)}

    def _sums(self, which: Any) -> dict[str, float]:
        names = ("outbreaks", "found", "outbreak_periods", "hit", "quiet_periods", "false")
        return {name: float(np.sum(getattr(self.counts, name)[which])) for name in names}

    def explain(self, lang: str = "en") -> str:
        """One sentence: outbreaks found, delay, false alarms, predictive value."""
        c = self.counts
        found, of = f"{c.found.sum():.4g}", f"{c.outbreaks.sum():.0f}"
        pod, far, ppv = (
            _percent(x) for x in (self.probability_of_detection, self.false_alarm_rate, self.ppv)
        )
        delay = "–" if self.mean_delay is None else f"{self.mean_delay:.1f}"
        if lang.startswith("zh"):
            set_to = "" if self.at_rate is None else f"（阈值调至误报率 {100 * self.at_rate:.2f}%）"
            return (
                f"{self.name}{set_to}：{of} 起暴发中发现 {found} 起（{pod}），平均延迟 {delay} 期，"
                f"误报率 {far}，阳性预测值 {ppv}（Noufaily 2013）。"
            )
        set_to = "" if self.at_rate is None else f" set to a false-alarm rate of {100 * self.at_rate:.2f}%"
        return (
            f"{self.name}{set_to}: {found} of {of} outbreaks found ({pod}), {delay} periods after their "
            f"start on average, false alarms in {far} of quiet periods, {ppv} of alarms in an outbreak "
            "(Noufaily 2013)."
        )


def evaluate(
    detector: Detector,
    data: Labelled,
    *,
    false_alarm_rate: float | None = None,
    name: str = "",
    within: Bools | None = None,
) -> Evaluation:
    """Hold a detector against outbreaks: a function of a Panel, its Detection, or a table of a peer's output.

    `false_alarm_rate`: move the threshold over the detector's own order (p-value, else score) until that
    share of quiet periods alarms; between two thresholds the figures are mixed, to meet it exactly.
    `within` limits the periods judged (series × time); those not assessed never count.
    """
    found = signals_of(detector, data.panel, name=name)
    judged = found.assessed & ~np.isnan(data.panel.counts)
    judged &= True if within is None else within
    if not judged.any():
        raise NotEnoughData(
            "not assessed because the detector judged no period", "未评估：检测方法未评估任何一期"
        )
    if false_alarm_rate is None:
        counts = count(found.alarm, data, judged)
    else:
        counts = _at_rate(found, data, judged, false_alarm_rate)
    return Evaluation(name or found.name, data.panel.names, counts, false_alarm_rate)


def compare(
    detectors: Mapping[str, Detector],
    data: Labelled,
    *,
    false_alarm_rate: float | None = None,
    common: bool = True,
) -> dict[str, Evaluation]:
    """Several detectors on the same periods (`common`: only those all of them assessed) at the same
    false-alarm rate; None takes the first one's own."""
    if not detectors:
        raise InputError("no detector was given", "未给出检测方法", field="detectors")
    found = {name: signals_of(detector, data.panel, name=name) for name, detector in detectors.items()}
    every = np.logical_and.reduce([s.assessed for s in found.values()])
    within = every if common else None
    if false_alarm_rate is None:
        first = next(iter(found))
        false_alarm_rate = evaluate(found[first], data, within=within).false_alarm_rate
    return {
        name: evaluate(one, data, false_alarm_rate=false_alarm_rate, name=name, within=within)
        for name, one in found.items()
    }


def count(alarm: Bools, data: Labelled, judged: Bools) -> Counts:
    """The sums behind the figures. An outbreak of which no period was judged does not count."""
    ill = (data.outbreak > 0) & judged
    quiet = (data.outbreak == 0) & judged
    fired = alarm & judged
    n_series, n_times = alarm.shape
    most = int(data.outbreak.max(initial=0))
    found, outbreaks, delay, wait = (np.zeros(n_series) for _ in range(4))
    t = np.arange(n_times)
    for k in range(1, most + 1):  # the k-th outbreak of every series at once
        mine = (data.outbreak == k) & judged
        exists = mine.any(axis=1)
        first = np.where(exists, np.argmax(mine, axis=1), 0)
        last = np.where(exists, n_times - 1 - np.argmax(mine[:, ::-1], axis=1), 0)
        hits = fired & mine
        seen = hits.any(axis=1)
        late = np.where(seen, np.where(hits, t, n_times).min(axis=1) - first, 0)
        found += seen
        outbreaks += exists
        delay += late
        wait += np.where(seen, late, np.where(exists, last - first + 1, 0))
    return Counts(
        (fired & ill).sum(axis=1).astype(float),
        ill.sum(axis=1).astype(float),
        (fired & quiet).sum(axis=1).astype(float),
        quiet.sum(axis=1).astype(float),
        found,
        outbreaks,
        delay,
        wait,
    )


def _at_rate(found: Signals, data: Labelled, judged: Bools, rate: float) -> Counts:
    if not 0 <= rate < 1:
        raise InputError(
            f"a false-alarm rate of {rate} is not between 0 and 1",
            f"误报率 {rate} 应在 0 与 1 之间",
            field="false_alarm_rate",
        )
    if not found.has_order:
        raise InputError(
            f"{found.name} gives alarms without a p-value or score: its threshold cannot be moved",
            f"{found.name} 只给出报警而无 p 值或得分：无法调整阈值",
            field="detector",
        )
    quiet = (data.outbreak == 0) & judged
    n = int(quiet.sum())
    if not n:
        raise NotEnoughData("not assessed because no quiet period was judged", "未评估：没有非暴发期")
    scores, times = np.unique(found.suspicion[quiet & np.isfinite(found.suspicion)], return_counts=True)
    scores, shares = scores[::-1], np.cumsum(times[::-1]) / n
    k = int(np.searchsorted(shares, rate, side="right"))  # the first k scores alarm at no more than the rate
    strict = count(_fires(found, judged, scores, k), data, judged)
    if k >= scores.size:
        return strict
    low = 0.0 if k == 0 else float(shares[k - 1])
    weight = (rate - low) / (float(shares[k]) - low)
    loose = count(found.suspicion >= scores[k], data, judged)
    return strict.mixed(loose, weight)


def _fires(found: Signals, judged: Bools, scores: Floats, k: int) -> Bools:
    """Alarms above every quiet score not yet allowed."""
    if k < scores.size:
        return np.asarray(found.suspicion > scores[k])
    return np.asarray(judged & (found.suspicion > -np.inf))


def _ratio(top: Floats, bottom: Floats) -> float | None:
    total = float(np.sum(bottom))
    return float(np.sum(top)) / total if total else None


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f}%"


def _take(counts: Counts, i: int) -> Counts:
    return Counts(*(getattr(counts, f)[i : i + 1] for f in Counts.__slots__))
