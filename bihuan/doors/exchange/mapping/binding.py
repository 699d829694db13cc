"""A mapping held against the columns a file has."""

from __future__ import annotations

import difflib
from typing import Any

from django.utils.translation import gettext as _

from bihuan.doors.exchange import words
from bihuan.doors.exchange.errors import MappingError
from bihuan.doors.exchange.mapping.faults import fault_of
from bihuan.doors.exchange.mapping.model import ColumnMap, Mapping
from bihuan.doors.exchange.reader import Table


def bind(m: Mapping, table: Table) -> tuple[dict[str, int], list[str]]:
    """Find the mapping's columns in a file: (header of the mapping -> position, notes).

    Raises MappingError when a column that feeds a required field is not there, or most are not.
    """
    positions = {words.header_key(h): i for i, h in reversed(list(enumerate(table.headers)))}
    found, lost = {}, []
    for column in m.columns:
        place = positions.get(words.header_key(column.header))
        if place is None:
            lost.append(column)
        else:
            found[column.header] = place
    needed = set(m.all_required())
    fed = {f for c in m.columns if c.header in found for f in (*c.fields, *c.implies)} | set(m.constants)
    used = [c for c in m.columns if c.fields]
    missing_needed = [c for c in lost if set(c.fields) & needed - fed]
    if missing_needed or (used and 2 * len([c for c in lost if c.fields]) > len(used)):
        raise MappingError([_not_there(c, m, table) for c in (missing_needed or lost)])
    notes = [_("Column “%s” of the mapping is not in the file.") % c.header for c in lost if c.fields]
    extra = [
        h for h in table.headers if words.header_key(h) not in {words.header_key(c.header) for c in m.columns}
    ]
    if extra:
        notes.append(_("Columns of the file without a place in the mapping: %s.") % ", ".join(extra[:20]))
    return found, notes


def _not_there(column: ColumnMap, m: Mapping, table: Table) -> dict[str, Any]:
    near = difflib.get_close_matches(column.header, table.headers, 3, 0.4) or list(table.headers[:5])
    return fault_of(
        m.name,
        None,
        f"columns.{column.header}",
        _("%(file)s has no column “%(header)s”.") % {"file": table.path.name, "header": column.header},
        _("Nearest in the file: %s.") % ", ".join(near),
    )
