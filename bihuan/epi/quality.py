"""Marks for what moved a count without an outbreak, and warnings for what nobody marked.

A change of case definition, a batch of old cases, a correction: known ones are marked by the caller, hold
alarms back with that reason and stay out of baselines. Unmarked jumps and negative corrections are not
explained away: they give a data-quality warning beside whatever the detector says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bihuan.epi.detection.results import Bools, Detection, Reason
from bihuan.epi.errors import InputError
from bihuan.epi.series import DAY, Floats, Panel, panel

Kind = Literal["definition_change", "correction"]
#: A count is a jump when it exceeds this many times the largest of the periods before, and this many cases:
#: our own rule. The daily factor of an epidemic doubling in two days is 1.4; 3 is beyond any of a week's.
JUMP_FACTOR, JUMP_LEAST, JUMP_LOOK_BACK = 3.0, 100.0, 7
_WARNING_EN = {
    "negative_correction": (
        "{series}, {day}: the total fell by {value:g}; probably a correction. Check it and mark it; the "
        "period counts as not reported."
    ),
    "jump": (
        "{series}, {day}: {value:g} new, more than {factor:g} times the largest of the {back} periods before "
        "({before:g}); a change of definition or a batch of old cases? Check it, and mark it if so."
    ),
}
_WARNING_ZH = {
    "negative_correction": (
        "{series} {day}：累计数下降 {value:g}；疑为数据订正，请核实后标记，本期按未报告处理。"
    ),
    "jump": (
        "{series} {day}：新增 {value:g}，超过此前 {back} 期最大值 {before:g} 的 {factor:g} 倍；"
        "可能为定义变更或补报，请核实，确属者请标记。"
    ),
}


@dataclass(frozen=True, slots=True)
class Mark:
    """Known to the caller: from `first` to `last` (both inclusive; one day if None) the counts of `series`
    (None: all) moved for the reason in `note`."""

    first: date
    kind: Kind
    note: str
    last: date | None = None
    series: str | None = None

    def covers(self, series: Panel) -> Bools:
        """Series × time: the periods it speaks of. A period counts when any of its days lies in the mark."""
        if self.kind not in get_args(Kind):
            raise InputError(
                f"a mark is a definition_change or a correction, not {self.kind!r}",
                f"标记应为 definition_change 或 correction，不能是 {self.kind!r}",
                field="kind",
            )
        first, last = np.datetime64(self.first, "D"), np.datetime64(self.last or self.first, "D")
        if last < first:
            raise InputError("a mark ends before it begins", "标记止于起始之前", field="last")
        ends = np.append(series.dates[1:], series.dates[-1:] + _length(series)) - DAY
        rows = np.ones(series.n_series, dtype=bool)
        if self.series is not None:
            rows = np.arange(series.n_series) == series.index(self.series)
        return np.asarray(rows[:, None] & ((series.dates <= last) & (ends >= first))[None, :])


def _length(series: Panel) -> np.timedelta64:
    return np.timedelta64({"daily": 1, "weekly": 7, "monthly": 28}[series.frequency], "D")


@dataclass(frozen=True, slots=True)
class QualityWarning:
    """`kind`: "jump" (far above what came before) or "negative_correction" (a total that fell)."""

    series: str
    day: date
    kind: Literal["jump", "negative_correction"]
    value: float
    before: float

    def explain(self, lang: str = "en") -> str:
        text = _WARNING_ZH if lang.startswith("zh") else _WARNING_EN
        return text[self.kind].format(
            series=self.series,
            day=self.day,
            value=abs(self.value),
            before=self.before,
            factor=JUMP_FACTOR,
            back=JUMP_LOOK_BACK,
        )

    def row(self) -> dict[str, Any]:
        return {
            "series": self.series,
            "date": self.day,
            "kind": self.kind,
            "value": self.value,
            "before": self.before,
        }


def increments(cumulative: ArrayLike, **panel_kw: Any) -> tuple[Panel, tuple[QualityWarning, ...]]:
    """New counts from running totals (series × time). A total that falls leaves its period without a count
    and gives a warning; where the total before is not known (the first period too) the count is not."""
    totals = np.atleast_2d(np.asarray(cumulative, dtype=np.float64))
    new = np.full(totals.shape, np.nan)
    new[:, 1:] = np.diff(totals, axis=1)
    fell = new < 0
    series = panel(np.where(fell, np.nan, new), **panel_kw)
    found = tuple(
        QualityWarning(
            series.names[i],
            series.dates[t].astype(object),
            "negative_correction",
            new[i, t],
            totals[i, t - 1],
        )
        for i, t in np.argwhere(fell)
    )
    return series, found


def jumps(
    counts: ArrayLike | Panel,
    *,
    factor: float = JUMP_FACTOR,
    least: float = JUMP_LEAST,
    marks: Sequence[Mark] = (),
    **panel_kw: Any,
) -> tuple[QualityWarning, ...]:
    """Counts of at least `least` that exceed `factor` times the largest of the seven reported periods before,
    outside the marks. Only earlier periods are looked at, so the warning comes on the day."""
    series = panel(counts, **panel_kw)
    known = marked_out(series, marks)
    before = _largest_before(known)
    with np.errstate(invalid="ignore"):
        jump = (known >= least) & (known > factor * before)
    return tuple(
        QualityWarning(
            series.names[i], series.dates[t].astype(object), "jump", float(known[i, t]), float(before[i, t])
        )
        for i, t in np.argwhere(jump)
    )


def _largest_before(counts: Floats) -> Floats:
    """Largest of the seven periods before; NaN where none of them was reported."""
    padded = np.pad(counts, ((0, 0), (JUMP_LOOK_BACK, 0)), constant_values=np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(padded, JUMP_LOOK_BACK, axis=1)[:, :-1]
    filled = np.where(np.isnan(windows), -np.inf, windows).max(axis=2)
    return np.asarray(np.where(np.isneginf(filled), np.nan, filled))


def marked_out(series: Panel, marks: Sequence[Mark]) -> Floats:
    """The counts, with the marked periods not known."""
    out = series.counts.copy()
    for mark in marks:
        out[mark.covers(series)] = np.nan
    return out


@dataclass(frozen=True, slots=True, eq=False)
class MarkedDetection:
    """What the detector says where nothing is marked; marked periods have the reason MARKED and no alarm.
    `warnings` are the jumps nobody marked and the negative corrections handed in. `runs` are the detections
    before and after each change of definition, `epoch[i, t]` the one that speaks of a series and period.
    """

    detection: Detection
    marks: tuple[Mark, ...]
    warnings: tuple[QualityWarning, ...]
    runs: tuple[Detection, ...]
    epoch: NDArray[np.int64]

    def note(self, series: int, day: date) -> str:
        """What the caller noted for that period; empty when nothing."""
        d = self.detection.panel
        t = int(np.searchsorted(d.dates, np.datetime64(day, "D"), side="right")) - 1
        return "; ".join(m.note for m in self.marks if t >= 0 and m.covers(d)[series, t])

    def rows(self, *, alarms_only: bool = False) -> Iterator[dict[str, Any]]:
        """Those of the detection, with `note` and `warning`."""
        warned = {(w.series, w.day): w.kind for w in self.warnings}
        covered = [(m, m.covers(self.detection.panel)) for m in self.marks]
        t_of = {d.astype(object): t for t, d in enumerate(self.detection.panel.dates)}
        for row in self.detection.rows(alarms_only=alarms_only):
            i, t = self.detection.panel.index(row["series"]), t_of[row["date"]]
            notes = "; ".join(mark.note for mark, periods in covered if periods[i, t])
            yield {**row, "note": notes, "warning": warned.get((row["series"], row["date"]), "")}

    def explain(self, lang: str = "en", *, series: int | str = 0, time: int = -1) -> str:
        """The detector's sentence, then the mark or the warning of that period."""
        i = self.detection.panel.index(series) if isinstance(series, str) else series
        day: date = self.detection.dates[time].astype(object)
        marked = self.detection.reason[i, time] == Reason.MARKED
        said = self.detection if marked else self.runs[self.epoch[i, time]]
        parts = [said.explain(lang, series=i, time=time), self.note(i, day)]
        name = self.detection.panel.names[i]
        parts += [w.explain(lang) for w in self.warnings if w.series == name and w.day == day]
        return " ".join(p for p in parts if p)


def detect_with_marks(
    detector: Callable[[Panel], Detection],
    counts: ArrayLike | Panel,
    *,
    marks: Sequence[Mark] = (),
    known_warnings: Sequence[QualityWarning] = (),
    **panel_kw: Any,
) -> MarkedDetection:
    """Run a detector with the caller's knowledge of changes and corrections.

    Marked periods are hidden from the detector, so they neither alarm nor sit in a baseline. Counts before
    and after a change of definition cannot be compared: after one, the detector sees only what came after it,
    and says of the first periods that it cannot judge them yet. Unmarked jumps give warnings.
    """
    series = panel(counts, **panel_kw)
    shown = marked_out(series, marks)
    epoch = _epochs(series, marks)
    results = [
        detector(_with(series, np.where(epoch >= k, shown, np.nan) if k else shown))
        for k in range(int(epoch.max(initial=0)) + 1)
    ]
    found = _joined(results, series, epoch)
    covered = ~np.isnan(series.counts) & np.isnan(shown)
    hidden = covered[:, found.at]
    reason = np.where(hidden, np.uint8(Reason.MARKED), found.reason).astype(np.uint8)
    whole = Detection(
        series,
        found.method,
        found.at,
        found.expected,
        found.upper,
        np.where(hidden, np.nan, found.score),
        np.where(hidden, np.nan, found.p_value),
        found.alarm & ~hidden,
        reason,
        found.extra,
    )
    asked = {str(d) for d in series.dates[found.at]}
    warnings = [*known_warnings, *jumps(series, marks=marks)]
    kept = tuple(w for w in warnings if str(w.day) in asked and not _is_marked(w, series, marks))
    return MarkedDetection(whole, tuple(marks), kept, tuple(results), epoch[:, found.at])


def _is_marked(warning: QualityWarning, series: Panel, marks: Sequence[Mark]) -> bool:
    i = series.index(warning.series)
    t = int(np.searchsorted(series.dates, np.datetime64(warning.day, "D")))
    return any(mark.covers(series)[i, t] for mark in marks)


def _epochs(series: Panel, marks: Sequence[Mark]) -> NDArray[np.int64]:
    """How many changes of definition lie at or before each period of each series."""
    epoch = np.zeros(series.counts.shape, dtype=np.int64)
    for mark in marks:
        if mark.kind != "definition_change":
            continue
        periods = mark.covers(series)
        rows = np.flatnonzero(periods.any(axis=1))
        for i in rows:
            epoch[i, int(np.argmax(periods[i])) :] += 1
    return epoch


def _with(series: Panel, counts: Floats) -> Panel:
    return Panel(counts, series.dates, series.frequency, series.names, series.population)


def _joined(results: Sequence[Detection], series: Panel, epoch: NDArray[np.int64]) -> Detection:
    """Each series and period from the run of its own epoch."""
    first = results[0]
    at = first.at
    if any(not np.array_equal(r.at, at) for r in results):
        raise InputError(
            "the detector must assess the same periods whatever the counts",
            "检测方法评估的时点不应随计数变化",
            field="detector",
        )
    which = epoch[:, at]

    def pick(name: str) -> Any:
        layers = np.stack([getattr(r, name) for r in results])
        return np.take_along_axis(layers, which[None], axis=0)[0]

    parts = {name: pick(name) for name in ("expected", "upper", "score", "p_value", "alarm", "reason")}
    return Detection(series, first.method, at, **parts)
