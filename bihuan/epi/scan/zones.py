"""Circular zones: each location with its nearest neighbors, one more at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bihuan.epi.errors import InputError
from bihuan.epi.series import Floats

Distance = Literal["euclidean", "great_circle"]

#: Mean radius of the Earth in kilometers (IUGG 1980).
EARTH_KM = 6371.0088
#: Distances that differ by less than this share of the widest are the same, measured another way round.
_SAME = 12


@dataclass(frozen=True, slots=True, eq=False)
class Zones:
    """Zone k of a center holds the locations `order[center, :k]`, for k from 1 to `sizes[center]`."""

    order: NDArray[np.int32]
    sizes: NDArray[np.int32]
    distances: Floats

    def members(self, center: int, k: int) -> NDArray[np.int32]:
        return self.order[center, :k]

    def radius(self, center: int, k: int) -> float:
        return float(self.distances[center, k - 1])

    @property
    def n_zones(self) -> int:
        return int(self.sizes.sum())


def circles(
    points: Floats,
    *,
    weights: Floats,
    max_share: float = 0.5,
    nearest: int | None = None,
    distance: Distance = "euclidean",
) -> Zones:
    """Zones of at most `max_share` of all `weights` (cases or people), or of `nearest` locations each.

    `points` are (x, y), or (longitude, latitude) in degrees for "great_circle" (haversine). Where two
    neighbors are equally far, the one that stands first enters first. A location that alone holds more than
    `max_share` is the center of no zone (Kulldorff 1997; SaTScan's maximum spatial cluster size).
    """
    apart = _apart(points, distance)
    scale = apart.max() or 1.0
    order = np.argsort(np.round(apart / scale, _SAME), axis=1, kind="stable").astype(np.int32)
    if nearest is not None:
        sizes = np.full(len(points), min(nearest, len(points)), np.int32)
    else:
        shares = np.cumsum(weights[order], axis=1) <= max_share * weights.sum() * (1 + 1e-12)
        sizes = shares.sum(axis=1).astype(np.int32)
    if not sizes.any():
        raise InputError(
            f"no circle holds at most {max_share:.0%} of the whole: a single location is larger; "
            "raise max_share or divide the location",
            f"没有任何圆形区域不超过总数的 {max_share:.0%}：单个地点已超过；请调高 max_share 或拆分该地点",
            field="max_share",
        )
    order = np.ascontiguousarray(order[:, : sizes.max()])
    return Zones(order, sizes, np.take_along_axis(apart, order.astype(np.intp), axis=1))


def _apart(points: Floats, distance: Distance) -> Floats:
    if distance == "euclidean":
        return np.hypot(*(points[:, None, axis] - points[None, :, axis] for axis in (0, 1)))
    longitude, latitude = np.radians(points[:, 0]), np.radians(points[:, 1])
    half = np.sin((latitude[:, None] - latitude) / 2) ** 2
    half += np.cos(latitude)[:, None] * np.cos(latitude) * np.sin((longitude[:, None] - longitude) / 2) ** 2
    return np.asarray(2 * EARTH_KM * np.arcsin(np.sqrt(np.clip(half, 0, 1))))
