"""The sliding baseline of the ESSENCE detectors: `baseline` days that end `guard` days before the tested one.

At the beginning of a series the baseline is as long as there is history, once it has `least` days.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from bihuan.epi.detection.assembly import check_above
from bihuan.epi.detection.calendar import Days, weekdays, working_calendar
from bihuan.epi.detection.results import Codes, Reason
from bihuan.epi.errors import InputError
from bihuan.epi.series import FREQUENCY_ZH, Floats, Panel

#: Days of baseline and guard band (Burkom, Murphy, Shmueli 2007; ESSENCE).
BASELINE, GUARD = 28, 2
#: An alert is p < 0.01; 0.01 <= p < 0.05 is a warning (ESSENCE).
ALERT, WARNING = 0.01, 0.05
#: The program holds its table of t quantiles to five decimals.
_DECIMALS = 5


@dataclass(frozen=True, slots=True)
class Window:
    """Length of the baseline, of the guard band, and the fewest days it can do with."""

    baseline: int
    guard: int
    least: int

    def check(self) -> None:
        check_above("baseline", self.baseline, self.least - 1)
        check_above("guard", self.guard, -1)

    def bounds(self, at: NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """First and past-the-last position of each baseline."""
        end = np.maximum(at - self.guard, 0)
        return np.maximum(end - self.baseline, 0), end

    def reasons(self, known: Floats, at: NDArray[np.intp]) -> Codes:
        """Why a baseline with so many `known` days cannot be used, 0 when it can."""
        begin, end = self.bounds(at)
        reason = np.zeros(known.shape, dtype=np.uint8)
        reason[known < self.least] = Reason.GAP_IN_BASELINE
        reason[:, end - begin < self.least] = Reason.SHORT_HISTORY
        return reason


def t_quantile(probability: float, degrees: Floats) -> Floats:
    """Quantiles of Student's t for whole degrees of freedom, to five decimals as in the program's table; NaN
    where there are none.
    """
    whole = np.maximum(np.nan_to_num(degrees), 0.0).astype(np.intp)
    known = np.arange(1, int(whole.max(initial=0)) + 1)
    table = np.append(np.nan, np.round(stats.t.ppf(probability, known), _DECIMALS))
    return np.asarray(table[whole])


def kinds_of_days(series: Panel, calendar: str | None) -> Days:
    """Weekdays of a daily panel, as the calendar of a country moves them when one is named."""
    if series.frequency != "daily":
        raise InputError(
            f"this method takes daily counts; these are {series.frequency}",
            f"该方法需要逐日计数；现为{FREQUENCY_ZH[series.frequency]}",
            field="frequency",
        )
    return weekdays(series.dates) if calendar is None else working_calendar(series.dates, country=calendar)
