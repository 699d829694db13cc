"""What the Tianjin list says is owed and late, worked out from the file itself by a few lines of its own.

Nothing of the application is used here: the tests hold its board against these numbers.

The list gives, for each case, the day it was confirmed and perhaps the day of death. With the days alone
known, a deadline of "2 hours" or "the same day" is the end of that day, one of "24 hours" that of the next.
The national plan of 25 January 2020 made 24 hours for reporting and isolation into 2 hours and the same day.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

FOLDER = "linelist_tianjin_2020"
PLAN = date(2020, 1, 25)
NEXT_DAY = timedelta(days=1)

#: What is owed for a case, as the board calls it in Chinese, and the clause it comes from.
STAGES = {
    "report": ("报告", "D4-07e"),
    "investigation": ("处置", "D4-17b"),
    "isolation": ("筛查", "D0-04"),
    "transfer": ("转运", "D4-17c"),
    "admission": ("收治", "D0-07"),
}
#: What a death ends. A report and an investigation are still owed.
ENDED_BY_DEATH = ("isolation", "transfer", "admission")


@dataclass(frozen=True)
class Row:
    case_id: str
    confirmed: date
    died: date | None

    def last_day(self, kind: str) -> date:
        """The day with whose end the deadline passes."""
        if kind == "investigation":
            return self.confirmed + NEXT_DAY
        if kind in ("report", "isolation") and self.confirmed < PLAN:
            return self.confirmed + NEXT_DAY
        return self.confirmed


def read(path: Path) -> list[Row]:
    with path.open(encoding="utf-8", newline="") as stream:
        return [
            Row(
                line["case_id"],
                date.fromisoformat(line["confirm_date"]),
                date.fromisoformat(line["death"]) if line["death"] else None,
            )
            for line in csv.DictReader(stream)
        ]


def known(rows: list[Row], day: date) -> list[Row]:
    """The cases confirmed by the end of a day."""
    return [row for row in rows if row.confirmed <= day]


def still_owed(rows: list[Row], kind: str, day: date) -> list[Row]:
    """The cases for which a kind of duty is open at the end of a day: the list proves none of them done."""
    gone = kind in ENDED_BY_DEATH
    return [row for row in known(rows, day) if not (gone and row.died and row.died <= day)]


def late(rows: list[Row], kind: str, day: date) -> list[Row]:
    """Those whose deadline had passed before the last minute of the day."""
    return [row for row in still_owed(rows, kind, day) if row.last_day(kind) < day]
