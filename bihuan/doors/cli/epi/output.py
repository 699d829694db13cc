"""What the commands give: a summary for people, JSON for programs, files by their suffix."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.utils.translation import get_language
from django.utils.translation import gettext as _
from rich.console import Console
from rich.markup import escape

from bihuan.doors.cli.output import show
from bihuan.epi.errors import InputError
from bihuan.epi.figures import SUFFIXES as PICTURES
from bihuan.epi.series import FREQUENCY_ZH, Frequency
from bihuan.epi.tables import write_rows
from bihuan.epi.tables.writing import Schema, check_suffix

Row = Mapping[str, Any]
PATIENCE = 2.0  # seconds of silence before somebody who waits is told
EVERY = 5.0  # seconds between lines where there is no terminal
SHOWN = 20
#: What the facts of an answer are called in Chinese; in English and in JSON they go by their keys.
NAMES_ZH = {
    "file": "文件",
    "series": "序列数",
    "periods": "期数",
    "from": "自",
    "until": "至",
    "method": "方法",
    "chosen": "选用方法",
    "alarms": "预警数",
    "assessed": "已评估",
    "reasons": "未评估或未预警",
    "families": "分组数",
    "places": "地点数",
    "cases": "病例数",
    "links": "关联数",
    "chains": "传播链数",
    "marks": "图元数",
    "lanes": "泳道数",
    "model": "模型",
    "prospective": "前瞻性",
    "replications": "模拟次数",
    "clusters": "聚集数",
    "significant": "其中显著",
    "now": "截至",
    "left_out": "剔除",
    "later_than_now": "晚于截止日",
    "kind": "类型",
    "rows": "行数",
    "groups": "组数",
    "outbreaks": "暴发数",
    "injected": "人为注入",
    "missing": "缺日期",
    "engine": "引擎",
    "margin": "前后计入分钟",
    "candidates": "候选人数",
    "second_order": "二级候选人数",
    "block": "时段（分钟）",
    "found": "结果数",
    "place": "场所",
    "to": "至",
    "stays": "停留数",
    "people": "人数",
    "writers": "写日记并有记录者",
    "entries": "日记条数",
    "strangers": "不在记录中而剔除的条数",
}


@dataclass
class Answer:
    """One command's result: facts of the whole, sentences for people, rows, and how to draw it. `shown` says
    a fact to people otherwise than to programs; `columns` are those of the rows, where there may be none.
    """

    facts: dict[str, Any]
    sentences: Sequence[str]
    rows: Callable[[], Iterable[Row]]
    notes: Sequence[str] = ()
    draw: Callable[[Path], Any] | None = None
    written: list[Path] = field(default_factory=list)
    shown: Mapping[str, str] = field(default_factory=dict)
    columns: Schema | None = None


def check_outs(outs: Sequence[Path] | None) -> list[Path]:
    """Refuse a name that cannot be written before work begins."""
    for path in outs or ():
        check_suffix(path, more=PICTURES)
    return list(outs or ())


def give(answer: Answer, *, outs: Sequence[Path], json: bool) -> None:
    """Write the files, then print."""
    for path in outs:
        if path.suffix.lower() in PICTURES:
            if answer.draw is None:
                raise InputError(
                    f"there is no picture of this result; write {path.stem}.csv instead",
                    f"此结果没有图；请改写 {path.stem}.csv",
                    field="out",
                )
            answer.draw(path)
        else:
            write_rows(answer.rows(), path, columns=answer.columns)
        answer.written.append(path)
    document: dict[str, Any] = {}
    if json:
        written = [str(path) for path in answer.written]
        document = {**answer.facts, "notes": list(answer.notes), "explained": list(answer.sentences)}
        document |= {"written": written} if written else {"rows": [clean(row) for row in answer.rows()]}
    show(document, json=json, human=lambda console: _tell(console, answer))


def _tell(console: Console, answer: Answer) -> None:
    chinese = (get_language() or "zh").startswith("zh")
    for name, value in answer.facts.items():
        label = NAMES_ZH.get(name, name) if chinese else name.replace("_", " ")
        told = answer.shown.get(name) or _told(value, chinese=chinese)
        console.print(f"[bold]{escape(label)}[/] {escape(told)}", soft_wrap=True, highlight=False)
    for note in answer.notes:
        console.print(f"· {escape(note)}", style="yellow", soft_wrap=True, highlight=False)
    for sentence in answer.sentences[:SHOWN]:
        console.print(escape(sentence), soft_wrap=True, highlight=False)
    more = len(answer.sentences) - SHOWN
    if more > 0:
        console.print(_("… and %(n)d more; --out FILE writes all.") % {"n": more}, style="dim")
    for path in answer.written:
        console.print(f"→ {escape(str(path))}", soft_wrap=True, highlight=False)


def _told(value: Any, *, chinese: bool) -> str:
    """A fact as people read it: words for truth, a list for counts by name."""
    if isinstance(value, bool):
        yes, no = ("是", "否") if chinese else ("yes", "no")
        return yes if value else no
    if isinstance(value, Mapping):
        return listed(value.items(), chinese=chinese)
    return str(value)


def listed(counts: Iterable[tuple[Any, int]], *, chinese: bool) -> str:
    """How many of each, the most first."""
    ordered = sorted(counts, key=lambda one: -one[1])
    told = (f"{name}（{n}）" if chinese else f"{name} ({n})" for name, n in ordered)
    return ("；" if chinese else "; ").join(told) or "–"


def periods(n: int, frequency: Frequency) -> str:
    """How many periods of which kind, for people."""
    chinese = (get_language() or "zh").startswith("zh")
    return f"{n}（{FREQUENCY_ZH[frequency]}）" if chinese else f"{n} {frequency}"


def clean(row: Row) -> dict[str, Any]:
    """A row for JSON: NaN and infinities as null."""
    return {key: None if isinstance(v, float) and not abs(v) < float("inf") else v for key, v in row.items()}


class Progress:
    """Tells on stderr how far long work is, once it takes longer than PATIENCE."""

    def __init__(self, what: str, total: int) -> None:
        self.what, self.total, self.done = what, total, 0
        self.began = time.monotonic()
        self._over = threading.Event()
        self._said = False
        self._thread = threading.Thread(target=self._tell, daemon=True)

    def advance(self, n: int = 1) -> None:
        self.done += n

    def line(self) -> str:
        share = f" {self.done}/{self.total}" if self.total > 1 else ""
        return f"{self.what}{share} · {time.monotonic() - self.began:.0f} s"

    def _tell(self) -> None:
        terminal = sys.stderr.isatty()
        wait = PATIENCE
        while not self._over.wait(wait):
            print(self.line(), file=sys.stderr, end="\r" if terminal else "\n", flush=True)
            self._said, wait = True, 0.5 if terminal else EVERY

    def __enter__(self) -> Progress:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        if self._said and sys.stderr.isatty():
            print("\r\033[K", file=sys.stderr, end="", flush=True)


@contextmanager
def working(what: str, total: int = 1) -> Iterator[Progress]:
    """`with working("detecting", n) as progress: … progress.advance()`."""
    with Progress(what, total) as progress:
        yield progress
