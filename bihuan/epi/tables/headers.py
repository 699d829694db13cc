"""Which column of a file is what: by the names it goes by, or by what was told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from bihuan.epi.errors import InputError
from bihuan.epi.tables.files import open_table

#: Columns of a file that an error names.
_NAMED = 12


def read_headers(
    path: Path, known: Mapping[str, Sequence[str]], given: Mapping[str, str], *, encoding: str | None = None
) -> tuple[dict[str, str], str]:
    """The column of each meaning that the file has, and the columns it has in words, for an error.

    `known` are the names each meaning goes by (small letters): of several that are there the first is taken.
    `given` (column → meaning) comes before that. Raises InputError for a column or meaning there is not.
    """
    with open_table(path, encoding=encoding) as table:
        columns = table.columns
    have = ", ".join(columns[:_NAMED])
    folded = {name.strip().casefold(): name for name in columns}
    found = {role: folded[n] for role, names in known.items() for n in reversed(names) if n in folded}
    for column, role in given.items():
        if role not in known or column.strip().casefold() not in folded:
            raise InputError(
                f"{column}={role}: {path.name} has {have}; names are {', '.join(known)}",
                f"{column}={role}：{path.name} 现有 {have}；含义可为 {', '.join(known)}",
                field="map",
            )
        found[role] = folded[column.strip().casefold()]
    return found, have
