"""Spreadsheets, read by a capped child process that can do no harm when it falls."""

from __future__ import annotations

import datetime as dt
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.utils.translation import gettext_lazy as _

from bihuan.doors.exchange.limits import Limits
from bihuan.doors.exchange.reader.refusals import bomb, damaged, locked, refuse, too_wide

Cell = str | int | float | bool | dt.date | dt.datetime | dt.time | None


def sheet_rows(
    path: Path, *, sheet: str | None, limits: Limits
) -> tuple[dict[str, Any], Iterator[tuple[int, int, list[Any]]]]:
    """Facts about the book, and its rows from a child process that can do no harm when it falls."""
    child = subprocess.Popen(
        [
            sys.executable,
            "-I",
            str(Path(__file__).with_name("sheet_child.py")),
            str(path.resolve()),
            sheet or "",
            str(limits.sheet_memory_bytes),
            str(limits.sheet_cpu_seconds),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={"PATH": os.environ.get("PATH", ""), "LANG": "C.UTF-8"},
    )
    assert child.stdout is not None
    line = child.stdout.readline()
    info = _answer(path, line, child)

    def rows() -> Iterator[tuple[int, int, list[Any]]]:
        number, ended = 0, False
        assert child.stdout is not None
        try:
            for text in child.stdout:
                row = _answer(path, text, child)
                if isinstance(row, dict):
                    ended = True
                    break
                number += 1
                while row and row[-1] in ("", None):
                    row.pop()
                if len(row) > limits.columns:
                    raise too_wide(path, number, len(row), limits)
                yield number, number, [_revive(c) if isinstance(c, dict) else c for c in row]
            if not ended:
                raise damaged(path, "the reader stopped early")
        finally:
            child.stdout.close()
            if child.poll() is None:
                child.kill()
            child.wait()

    return info, rows()


def _answer(path: Path, line: bytes, child: subprocess.Popen[bytes]) -> Any:
    try:
        answer = json.loads(line) if line else {"error": "damaged", "text": "the reader fell"}
    except ValueError:
        answer = {"error": "damaged", "text": "the reader was cut off"}
    if isinstance(answer, dict) and "error" in answer:
        if child.poll() is None:
            child.kill()
        child.wait()
        if answer["error"] == "password":
            raise locked(path)
        if answer["error"] == "memory":
            raise bomb(path, _("it needs more memory than is allowed"))
        if answer["error"] == "sheet":
            raise refuse(
                path,
                "file.sheet",
                _("%(file)s has no sheet of that name.") % {"file": path.name},
                _("Its sheets are: %(names)s.") % {"names": answer["text"]},
            )
        raise damaged(path, answer["text"])
    return answer


def _revive(cell: dict[str, str]) -> Cell:
    if "d" in cell:
        text = cell["d"]
        return dt.datetime.fromisoformat(text) if "T" in text else dt.date.fromisoformat(text)
    return cell.get("t", "")
