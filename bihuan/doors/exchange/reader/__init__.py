"""Files to rows: CSV and TSV in any encoding and delimiter met, XLS, XLSX, ODS.

`open_table(path)` answers with a `Table`: headers, what was recognized, and an iterator over rows. Text
files are streamed; spreadsheets are read by a capped child process. Nothing here knows about cases.
Every refusal is a `FileRefused` that names the file, the rule, and what to do.

`kinds` and `extents` look before anything is parsed, `text` and `sheets` give rows, `header` finds the row of
names, `table` is what comes out; `cells` keeps exports from running in a spreadsheet.
"""

from bihuan.doors.exchange.reader.cells import begins_formula, safe_cell
from bihuan.doors.exchange.reader.hints import FileHints
from bihuan.doors.exchange.reader.kinds import OLE
from bihuan.doors.exchange.reader.sheets import Cell
from bihuan.doors.exchange.reader.table import RawRow, Table, open_table
from bihuan.doors.exchange.reader.text import find_delimiter, find_encoding

__all__ = [
    "OLE",
    "Cell",
    "FileHints",
    "RawRow",
    "Table",
    "begins_formula",
    "find_delimiter",
    "find_encoding",
    "open_table",
    "safe_cell",
]
