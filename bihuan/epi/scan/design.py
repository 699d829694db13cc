"""One scan laid out for the kernel: counts, what is expected of each place and period, zones, windows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bihuan.epi.scan import kernel
from bihuan.epi.scan.zones import Zones
from bihuan.epi.series import Floats

Model = Literal["permutation", "poisson", "expectation"]


@dataclass(frozen=True, slots=True, eq=False)
class Design:
    """`means` are the baselines summed up in time: from the first period on, or over the last d periods."""

    counts: NDArray[np.int32]
    baselines: Floats
    means: Floats
    zones: Zones
    model: Model
    prospective: bool
    shortest: int
    longest: int

    @property
    def total(self) -> int:
        return int(self.counts.sum())

    @property
    def conditional(self) -> bool:
        """Whether the ratio holds the number of all cases fixed."""
        return self.model != "expectation"

    @property
    def kind(self) -> int:
        return kernel.CONDITIONAL if self.conditional else kernel.EXPECTATION

    def sums(self) -> NDArray[np.float32]:
        out = np.empty(self.means.shape, np.float32)
        kernel.cumulate(self.counts, self.prospective, self.means.shape[1] - 1, out)
        return out

    def single_cases(self) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Place and time of every case, one by one."""
        places, times = np.nonzero(self.counts)
        each = self.counts[places, times]
        return np.repeat(places, each).astype(np.int32), np.repeat(times, each).astype(np.int32)

    def most_expected(self) -> float:
        """No window expects more than this."""
        low = self.means[:, : -self.longest] if not self.prospective else 0.0
        high = self.means[:, self.longest :] if not self.prospective else self.means[:, -1:]
        windows = np.vstack([np.zeros((1, high.shape[1])), high - low])
        order, sizes = self.zones.order, self.zones.sizes
        inside = np.arange(order.shape[1]) < sizes[:, None]
        most = 0.0
        for center in range(len(order)):
            rows = order[center][inside[center]] + 1
            if rows.size:
                most = max(most, float(windows[rows].sum(axis=0).max()))
        return most

    def period_of(self, low: int, high: int) -> tuple[int, int]:
        """First and last period (from 0) of a window told in the terms of the sums."""
        if self.prospective:
            return self.counts.shape[1] - high, self.counts.shape[1] - 1
        return low, high - 1


def lay_out(
    counts: NDArray[np.int32],
    baselines: Floats,
    zones: Zones,
    *,
    model: Model,
    prospective: bool,
    shortest: int,
    longest: int,
) -> Design:
    """Sum the baselines as the kernel reads them. Prospective windows are no longer than `longest`, so
    earlier periods are left out of the sums.
    """
    periods = counts.shape[1]
    width = longest if prospective else periods
    means = np.zeros((counts.shape[0], width + 1))
    ordered = baselines[:, ::-1][:, :width] if prospective else baselines
    np.cumsum(ordered, axis=1, out=means[:, 1:])
    return Design(counts, baselines, means, zones, model, prospective, shortest, longest)
