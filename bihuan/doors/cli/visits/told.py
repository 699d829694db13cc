"""What is said of records that were read, and of rows that were not taken."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.utils.translation import gettext as _
from rich.console import Console
from rich.markup import escape

from bihuan.doors.cli.output import table
from bihuan.doors.exchange.reader import safe_cell
from bihuan.epi.visits.ingest import Ingested, Rejected


@contextmanager
def ledger(path: Path | None, lang: str) -> Iterator[Callable[[Rejected], None] | None]:
    """Writes rejected rows as they come; nobody's identity is among what is written."""
    if path is None:
        yield None
        return
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["file", "row", "reason", "column", "said", "what_to_do"])

        def write(row: Rejected) -> None:
            told = (row.file, row.row, row.reason, row.column, row.said, row.text(lang))
            writer.writerow([safe_cell(cell) for cell in told])

        yield write


def facts(done: Ingested) -> dict[str, Any]:
    return {
        "rows": done.rows,
        "added": done.added,
        "duplicate": done.duplicate,
        "rejected": done.rejected,
        "reasons": dict(done.reasons),
        "examples": [asdict(row) for row in done.examples],
        "unread_temperatures": done.unread_temperatures,
        "bounded": done.bounded,
        "unknown_how": dict(done.unknown_how.most_common(20)),
        "columns": done.columns,
        "seconds": round(done.seconds, 3),
    }


def tell(console: Console, done: Ingested, said: dict[str, Any], lang: str) -> None:
    def line(text: str, style: str = "") -> None:
        console.print(escape(text), style=style or None, soft_wrap=True, highlight=False)

    for file, columns in done.columns.items():
        line(f"{file}: " + ", ".join(f"{column} → {role}" for role, column in columns.items()), "dim")
    counts = {k: f"{said[k]:,}" for k in ("rows", "added", "duplicate", "rejected")}
    if done.rows == done.added + done.duplicate + done.rejected:
        text = _("%(rows)s rows: %(added)s added, %(duplicate)s there already, %(rejected)s rejected.")
    else:  # a row can be a stay of several days or places, and many rows one stay
        text = _(
            "%(rows)s rows, %(rejected)s rejected; the others hold %(added)s new stays and %(duplicate)s "
            "that were there already."
        )
    line(text % counts)
    if done.rejected:
        table(console, _by_reason(done, lang))
        if "rejected_file" in said:
            line(_("All of them: %(path)s") % {"path": said["rejected_file"]}, "dim")
        elif done.rejected > 1:
            line(_("--rejected FILE writes all of them, row by row."), "dim")
    if done.unread_temperatures:
        line(
            _("%(n)d temperatures are none (25–45 °C) and were left out.") % {"n": done.unread_temperatures},
            "yellow",
        )
    if done.bounded:
        line(_("%(n)d stays of more than a day were cut to one day.") % {"n": done.bounded}, "yellow")
    if done.unknown_how:
        words = ", ".join(word for word, _n in done.unknown_how.most_common(5))
        line(_("How they were recorded is not known for: %(words)s") % {"words": words}, "yellow")
    line(_("Store: %(path)s") % {"path": said["store"]}, "dim")


def _by_reason(done: Ingested, lang: str) -> list[dict[str, str]]:
    """Why rows were not taken, the most frequent reason first, each with the rows that came first."""
    told = []
    for reason, n in done.reasons.most_common():
        some = [row for row in done.examples if row.reason == reason][:3]
        where = ", ".join(f"{row.row}" for row in some if row.file == some[0].file)
        cell = f" {some[0].column}: {some[0].said}" if some[0].said else ""
        told.append(
            {
                _("rows"): f"{n:,}",
                _("why, and what to do"): some[0].text(lang),
                _("for example"): _("%(file)s, row %(rows)s") % {"file": some[0].file, "rows": where} + cell,
            }
        )
    return told
