"""`--mark`: what the caller knows moved a count without an outbreak; and warnings of what nobody marked."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import date
from typing import Annotated

import typer

from bihuan.epi.errors import InputError
from bihuan.epi.quality import Mark, QualityWarning

Marks = Annotated[
    list[str] | None,
    typer.Option(
        "--mark",
        metavar="DATE[/DATE]:KIND:NOTE",
        help="Known change; KIND is definition_change or correction. Repeatable.",
    ),
]
TOLD = 10


def marks_of(given: list[str] | None, names: Sequence[str]) -> tuple[Mark, ...]:
    """`2020-02-12:definition_change:clinical diagnosis`, or up to a last day: `2020-04-16/2020-04-17:…`.
    A further `:SERIES` at the end limits it to one series.
    """
    return tuple(_mark(text, names) for text in given or ())


def _mark(text: str, names: Sequence[str]) -> Mark:
    days, _colon, rest = text.partition(":")
    kind, _colon, note = rest.partition(":")
    series = next((name for name in names if note.endswith(f":{name}")), None)
    first, _slash, last = days.partition("/")
    begin: date | None = None
    end: date | None = None
    with suppress(ValueError):
        begin, end = date.fromisoformat(first.strip()), date.fromisoformat(last.strip()) if last else None
    if begin is None or kind not in ("definition_change", "correction") or not note:
        raise InputError(
            f"{text!r} is not DATE:KIND:NOTE, such as 2020-02-12:definition_change:clinical diagnosis",
            f"{text!r} 不是 日期:类型:说明 的形式，例如 2020-02-12:definition_change:临床诊断计入",
            field="mark",
        )
    note = note.removesuffix(f":{series}") if series else note
    return Mark(begin, kind, note, end, series)  # type: ignore[arg-type]


def warnings_told(warnings: Sequence[QualityWarning], lang: str) -> list[str]:
    """The newest of them as sentences, and how many more there are."""
    newest = sorted(warnings, key=lambda one: one.day, reverse=True)
    told = [one.explain(lang) for one in newest[:TOLD]]
    more = len(newest) - TOLD
    if more > 0:
        told.append(f"… +{more}")
    return told
