"""Reads one sheet of a spreadsheet in a process of its own and prints it as JSON lines.

Run as `python sheet_child.py PATH SHEET MEMORY CPU`. A damaged or hostile file can only take down this
child, never the server: memory and processor time are capped by the operating system.
First line: {"sheets": [...], "sheet": name}. Then one list a row; dates as {"d": iso}, times {"t": iso}.
Last line: {"end": rows}. Errors: {"error": kind, "text": ...} and exit status 3.
Standard library and python-calamine only.
"""

from __future__ import annotations

import datetime as dt
import json
import sys
from typing import Any


def _cap(memory: int, cpu: int) -> None:
    try:
        import resource
    except ImportError:  # not on this operating system
        return
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu))


def _plain(value: Any) -> Any:
    if isinstance(value, dt.datetime):
        return {"d": value.isoformat()}
    if isinstance(value, dt.date):
        return {"d": value.isoformat()}
    if isinstance(value, dt.time):
        return {"t": value.isoformat()}
    if isinstance(value, dt.timedelta):
        return {"t": str(value)}
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return int(value)
    return value


def _fail(kind: str, text: str) -> None:
    sys.stdout.write(json.dumps({"error": kind, "text": text}) + "\n")
    sys.stdout.flush()
    raise SystemExit(3)


def _merged(sheet: Any) -> dict[tuple[int, int], tuple[int, int]]:
    """Cell -> the top left cell of the merged range it lies in (bounded: huge ranges are skipped)."""
    out: dict[tuple[int, int], tuple[int, int]] = {}
    try:
        ranges = sheet.merged_cell_ranges or []
    except Exception:
        return out
    for (top, left), (bottom, right) in ranges[:20_000]:
        if (bottom - top + 1) * (right - left + 1) > 20_000:
            continue
        for row in range(top, bottom + 1):
            for column in range(left, right + 1):
                if (row, column) != (top, left):
                    out[(row, column)] = (top, left)
        if len(out) > 500_000:
            break
    return out


def main(argv: list[str]) -> None:
    path, wanted, memory, cpu = argv[1], argv[2], int(argv[3]), int(argv[4])
    _cap(memory, cpu)
    import python_calamine as calamine

    try:
        book = calamine.load_workbook(path)
        names = [
            meta.name for meta in book.sheets_metadata if "WorkSheet" in str(meta.typ)
        ] or book.sheet_names
        visible = [
            meta.name
            for meta in book.sheets_metadata
            if str(meta.visible).endswith("Visible") and meta.name in names
        ] or names
        if wanted and wanted not in book.sheet_names:
            _fail("sheet", ", ".join(book.sheet_names))
        sheets = [wanted] if wanted else visible
        chosen = None
        for name in sheets:
            sheet = book.get_sheet_by_name(name)
            if sheet.height > 1 or wanted or chosen is None:
                if chosen is None or sheet.height > chosen.height:
                    chosen = sheet
                if sheet.height > 1:
                    break
        if chosen is None:
            _fail("empty", "")
            return
        sys.stdout.write(json.dumps({"sheets": list(book.sheet_names), "sheet": chosen.name}) + "\n")
        start_row = chosen.start[0] if chosen.start else 0
        merged = _merged(chosen)
        heads: dict[tuple[int, int], Any] = {}
        anchors = set(merged.values())
        rows = 0
        for offset, row in enumerate(chosen.to_python(skip_empty_area=False)):
            out = [_plain(v) for v in row]
            if merged:
                for column, value in enumerate(out):
                    if (offset, column) in anchors:
                        heads[(offset, column)] = value
                    anchor = merged.get((offset, column))
                    if anchor is not None and value in ("", None):
                        out[column] = heads.get(anchor, value)
            sys.stdout.write(json.dumps(out, ensure_ascii=False) + "\n")
            rows += 1
        sys.stdout.write(json.dumps({"end": rows, "start": start_row}) + "\n")
    except calamine.PasswordError as error:
        _fail("password", str(error))
    except MemoryError:
        _fail("memory", "")
    except (calamine.CalamineError, calamine.ZipError, calamine.XmlError, OSError, ValueError) as error:
        _fail("damaged", str(error))


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
    main(sys.argv)
