"""The keys a mapping may hold, part by part."""

from __future__ import annotations

TOP = (
    *("mapping", "kind", "list", "title", "source", "disease", "file", "territory", "dates"),
    *("columns", "constants", "required"),
)
FILE = ("encoding", "delimiter", "sheet", "header_row")
TERRITORY = ("constant", "within", "fallback", "names")
DATES = ("day_first", "year", "timezone", "era")
COLUMN = ("field", "fields", "values", "missing", "implies", "ignore", "confidence", "reason")
