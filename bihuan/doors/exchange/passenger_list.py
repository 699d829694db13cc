"""A passenger list (CSV, TSV, XLS, XLSX, ODS) as what `propose_manifest` takes."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, Final

from django.utils.translation import gettext as _

from bihuan.doors.exchange.reader import FileHints, open_table
from bihuan.epi.tables.called import called
from bihuan.registry.errors import Invalid
from bihuan.tracing.rules.seats import Passenger, read_columns, read_passenger

#: Bytes and lines of a list: a cruise ship carries some five thousand.
LARGEST: Final = 4 * 2**20
MOST: Final = 20_000


def read_passengers(path: Path, *, encoding: str = "") -> list[Passenger]:
    """The passengers of a file, by line. Raises FileRefused for what is no table, Invalid for a list that
    names nobody, has numbers for names, or is too long."""
    table = open_table(path, hints=FileHints(encoding=encoding or None))
    columns = read_columns(table.headers)
    if "name" not in columns and "id_number" not in columns:
        raise _refused(
            _("The list needs a column of names or identity numbers."),
            hint=_("Columns: name, id_number, phone, carriage, row or seat, role."),
        )
    found: list[Passenger] = []
    for row in table.rows():
        if len(found) >= MOST:
            raise _refused(_("At most %(n)s passengers in a list.") % {"n": MOST})
        found.append(read_passenger(row.line, [_text(cell) for cell in row.cells], columns))
        if _is_number(found[-1]):
            raise _refused(
                _("Row %(n)s has a number where the name stands.") % {"n": row.line},
                hint=_("Columns: name, id_number, phone, carriage, row or seat, role."),
            )
    if not found:
        raise _refused(
            _("The list names nobody."),
            hint=_("Columns: name, id_number, phone, carriage, row or seat, role."),
        )
    return found


def received(upload: Any) -> list[Passenger]:
    """The passengers of a file that was sent. It lies on the disk only while it is read."""
    if (upload.size or 0) > LARGEST:
        raise _refused(_("The list is larger than %(n)s MB.") % {"n": LARGEST // 2**20})
    with tempfile.TemporaryDirectory(prefix="bihuan-passengers-") as folder:
        path = Path(folder) / ("list" + Path(upload.name or "").suffix[:6])
        path.write_bytes(upload.read(LARGEST + 1))
        return read_passengers(called(path, upload.name or ""))


def _is_number(passenger: Passenger) -> bool:
    """Whether only a number, as of a row or a seat, would stand for a person."""
    name = passenger.name
    return bool(name) and not passenger.id_number and not any(sign.isalpha() for sign in name)


def _text(cell: Any) -> str:
    if cell is None:
        return ""
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell)


def _refused(message: str, *, hint: str = "") -> Invalid:
    return Invalid(message, hint=hint, errors=[{"field": "file", "rule": "list", "message": message}])
