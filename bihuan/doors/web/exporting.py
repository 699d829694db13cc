"""Lists as files: CSV that spreadsheet programs open rightly, and XLSX. No cell is ever a formula."""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from typing import Any, Final

import xlsxwriter
from django.http import FileResponse, HttpResponseBase, StreamingHttpResponse
from django.utils import timezone
from django.utils.http import content_disposition_header

from bihuan.doors.exchange.reader import begins_formula

BOM: Final = "\ufeff"
XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def plain(value: Any) -> str:
    """A cell as text: ISO dates in local time, nothing as nothing, no formula."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return timezone.localtime(value).strftime("%Y-%m-%d %H:%M")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, (int, float)):
        return str(value)
    text = str(value)
    return f"'{text}" if begins_formula(text) else text


class _Echo:
    def write(self, text: str) -> str:
        return text


def _csv_lines(headers: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    writer = csv.writer(_Echo())
    yield BOM
    yield writer.writerow([plain(header) for header in headers])
    for row in rows:
        yield writer.writerow([plain(cell) for cell in row])


def as_csv(name: str, headers: Sequence[str], rows: Iterable[Sequence[Any]]) -> HttpResponseBase:
    # the rows are read within the transaction the scope holds in, so before the answer is sent
    answer = StreamingHttpResponse(list(_csv_lines(headers, rows)), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = content_disposition_header(True, f"{name}.csv") or "attachment"
    return answer


def as_xlsx(name: str, headers: Sequence[str], rows: Iterable[Sequence[Any]]) -> HttpResponseBase:
    file = tempfile.TemporaryFile(suffix=".xlsx")  # noqa: SIM115  the answer closes it
    book = xlsxwriter.Workbook(
        file,
        {
            "constant_memory": True,
            "strings_to_formulas": False,
            "strings_to_urls": False,
            "remove_timezone": True,
        },
    )
    sheet = book.add_worksheet()
    bold = book.add_format({"bold": True})
    for column, header in enumerate(headers):
        sheet.write_string(0, column, str(header), bold)
    for line, row in enumerate(rows, start=1):
        for column, cell in enumerate(row):
            if isinstance(cell, (int, float)) and not isinstance(cell, bool):
                sheet.write_number(line, column, cell)
            elif cell is not None:
                sheet.write_string(line, column, _text(cell))
    sheet.freeze_panes(1, 0)
    book.close()
    file.seek(0)
    return FileResponse(file, as_attachment=True, filename=f"{name}.xlsx", content_type=XLSX)


def _text(cell: Any) -> str:
    """In a spreadsheet a string cell is a string: only times need wording."""
    return str(cell) if isinstance(cell, str) else plain(cell)
