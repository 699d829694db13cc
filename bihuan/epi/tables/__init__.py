"""Tables in and out of files, by DuckDB: CSV (also gzipped), Parquet, JSON.

    read_counts(path)                 counts per series and period, long or wide → Counts (a Panel and notes)
    read_counts(path, how=Reading(lines=True))   a line list, one row a case, counted per series and period
    read_columns(path, {...})         named columns as arrays: dates, numbers, text
    write_rows(rows, path)            what a result's `.rows()` gives, by the suffix of `path`

Nothing is mended in silence: what cannot be read is an InputError that names the row and the way out, and
what was decided (periods without a row, rows without a date) is said in `notes`.
"""

from bihuan.epi.tables.cells import Wanted
from bihuan.epi.tables.columns import read_columns
from bihuan.epi.tables.counts import Columns, Counts, Note, Reading, read_counts
from bihuan.epi.tables.files import Table, open_table
from bihuan.epi.tables.writing import write_rows

__all__ = [
    "Columns",
    "Counts",
    "Note",
    "Reading",
    "Table",
    "Wanted",
    "open_table",
    "read_columns",
    "read_counts",
    "write_rows",
]
