"""7-1-7: seven days to detect, one to notify, seven to complete the early response.

Frieden 2021 (Lancet, "7-1-7: an organising principle, target, and accountability metric"); the steps and the
seven early-response actions as the 7-1-7 Alliance's assessment tool lists them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bihuan.epi.delays import times
from bihuan.epi.errors import InputError
from bihuan.epi.indicators.reading import moment
from bihuan.epi.proportions import Proportion, attack_rate
from bihuan.epi.series import Floats

#: Days allowed for each step.
TARGETS = {"detect": 7.0, "notify": 1.0, "respond": 7.0}
#: The early-response actions of which the last makes the response complete.
ACTIONS = (
    "team_deployed",
    "analysis_and_risk_assessment",
    "laboratory_confirmation",
    "case_management_and_ipc",
    "countermeasures",
    "community_engagement",
    "coordination",
)
NOT_APPLICABLE = "n/a"
_LABELS = {
    "detect": ("detected within 7 days of emergence", "发生后 7 天内发现"),
    "notify": ("notified within 1 day of detection", "发现后 1 天内报告"),
    "respond": ("early response complete within 7 days of notification", "报告后 7 天内完成早期处置"),
}


@dataclass(frozen=True, slots=True)
class EventTimes:
    """One event: days each step took (None: not known or not done), and whether each target was met (None:
    not known, or not yet due)."""

    name: str
    days: dict[str, float | None]
    met: dict[str, bool | None]
    open_actions: tuple[str, ...] = ()

    @property
    def all_met(self) -> bool | None:
        if False in self.met.values():
            return False
        return None if None in self.met.values() else True

    @property
    def bottleneck(self) -> str | None:
        """The step that overran its target the most, of those known."""
        over = {k: d - TARGETS[k] for k, d in self.days.items() if d is not None and d > TARGETS[k]}
        return max(over, key=lambda k: over[k]) if over else None


@dataclass(frozen=True, slots=True)
class SevenOneSeven:
    """Each event, and the share of events that met each step and all three."""

    events: tuple[EventTimes, ...]
    shares: dict[str, Proportion]

    def rows(self) -> Iterator[dict[str, Any]]:
        for event in self.events:
            days = {f"{k}_days": v for k, v in event.days.items()}
            met = {f"{k}_met": v for k, v in event.met.items()}
            yield {"event": event.name, **days, **met, "all_met": event.all_met}

    def explain(self, lang: str = "en") -> str:
        """One sentence: how many events met each of the three targets, and all."""
        chinese = lang.startswith("zh")
        parts = []
        for key, share in self.shares.items():
            label = _LABELS.get(key, ("all three met", "三项全部达标"))[chinese]
            parts.append(f"{label} {share.n}/{share.of}")
        joined = "，".join(parts) if chinese else ", ".join(parts)
        n = len(self.events)
        if chinese:
            return f"7-1-7：{n} 起事件，{joined}；未到时限或日期不明的步骤不计入（Frieden 2021）。"
        return f"7-1-7: {n} events, {joined}; steps not yet due or undated are not counted (Frieden 2021)."


def seven_one_seven(
    emergence: Iterable[Any],
    detection: Iterable[Any],
    notification: Iterable[Any],
    response: Iterable[Any] | Mapping[str, Iterable[Any]],
    *,
    names: Sequence[str] | None = None,
    as_of: Any = None,
) -> SevenOneSeven:
    """Judge events by 7-1-7. Dates, or instants where the day is too coarse.

    `response`: when the early response was complete, or a mapping of each action (`ACTIONS`) to when it was
    done ("n/a" where not applicable); it is complete with the last. `as_of`: a step not done by then has
    missed its target when its time is over and is undecided before; later dates are not yet known. A step
    that ends before it begins is an InputError.
    """
    ends = {
        "emergence": times.read(emergence, field="emergence").values,
        "detection": times.read(detection, field="detection").values,
        "notification": times.read(notification, field="notification").values,
    }
    n = ends["emergence"].size
    now = np.inf if as_of is None else moment(as_of)
    ends["response"], open_actions = _completed(response, n, now)
    for name, values in ends.items():
        if values.size != n:
            raise InputError(
                f"{n} events and {values.size} dates of {name}; they must pair up",
                f"{n} 起事件却有 {values.size} 个 {name} 日期；必须一一对应",
                field=name,
            )
        ends[name] = np.where(values > now, np.nan, values)
    labels = [f"event {i + 1}" for i in range(n)] if names is None else list(names)
    if len(labels) != n:
        raise InputError(f"{n} events need {n} names", f"{n} 起事件需要 {n} 个名称", field="names")
    order = ("emergence", "detection", "notification", "response")
    steps = {
        key: _step(key, ends[a], ends[b], now, labels, (a, b))
        for key, a, b in zip(TARGETS, order, order[1:], strict=False)
    }
    events = tuple(
        EventTimes(
            labels[i],
            {k: None if np.isnan(days[i]) else float(days[i]) for k, (days, _) in steps.items()},
            {k: None if np.isnan(met[i]) else bool(met[i]) for k, (_, met) in steps.items()},
            open_actions[i],
        )
        for i in range(n)
    )
    return SevenOneSeven(events, _shares(events))


def _completed(
    response: Iterable[Any] | Mapping[str, Iterable[Any]], n: int, now: float
) -> tuple[Floats, list[tuple[str, ...]]]:
    """When the last applicable action was done; NaN while one is open."""
    if not isinstance(response, Mapping):
        return times.read(response, field="response").values, [()] * n
    unknown = [key for key in response if key not in ACTIONS]
    if unknown:
        raise InputError(
            f"{unknown[0]} is not an early-response action; they are {', '.join(ACTIONS)}",
            f"{unknown[0]} 不是早期处置行动；应为 {', '.join(ACTIONS)}",
            field="response",
        )
    done = {key: list(response.get(key, [None] * n)) for key in ACTIONS}
    last, still_open = np.full(n, np.nan), []
    for i in range(n):
        applicable = {key: column[i] for key, column in done.items() if column[i] != NOT_APPLICABLE}
        values = times.read(list(applicable.values()), field="response").values
        values = np.where(values > now, np.nan, values)
        still_open.append(tuple(k for k, v in zip(applicable, values, strict=True) if np.isnan(v)))
        last[i] = np.nan if still_open[-1] or not values.size else values.max()
    return last, still_open


def _step(
    key: str, start: Floats, end: Floats, now: float, names: Sequence[str], ends: tuple[str, str]
) -> tuple[Floats, Floats]:
    days = end - start
    with np.errstate(invalid="ignore"):
        if (days < 0).any():
            name = names[int(np.argmax(days < 0))]
            raise InputError(
                f"{name}: {ends[1]} comes before {ends[0]}",
                f"{name}：{ends[1]} 早于 {ends[0]}",
                field=ends[1],
            )
        met = np.where(np.isnan(days), np.nan, (days <= TARGETS[key]).astype(float))
        overdue = np.isnan(end) & (np.isfinite(now) & (now - start > TARGETS[key]))
    met[overdue] = 0.0
    return days, met


def _shares(events: Sequence[EventTimes]) -> dict[str, Proportion]:
    out = {}
    for key in (*TARGETS, "all"):
        verdicts = [e.all_met if key == "all" else e.met[key] for e in events]
        known = [v for v in verdicts if v is not None]
        label = _LABELS.get(key, ("all three met", "三项全部达标"))
        out[key] = attack_rate(sum(known), len(known), what=label)
    return out
