"""Named columns of a file as arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from bihuan.epi.tables.cells import Wanted, fetch
from bihuan.epi.tables.files import open_table


def read_columns(
    path: str | Path,
    wanted: Mapping[str, Wanted],
    *,
    where: Sequence[tuple[str, str]] = (),
    encoding: str | None = None,
) -> dict[str, NDArray[Any]]:
    """`{"onset": Wanted("date_onset", "date"), …}` → `{"onset": array, …, "row": numbers of the records}`.

    Dates are datetime64[D] with NaT for "not known", numbers float64 with NaN, texts "". InputError names
    the row and column of the first cell that cannot be read.
    """
    with open_table(path, encoding=encoding) as table:
        return fetch(table, wanted, where=where)
