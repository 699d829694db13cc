"""What a mapping may say about a file, when recognition is not enough."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class FileHints:
    """What a mapping may say about the file when recognition is not enough. None: recognize."""

    encoding: str | None = None
    delimiter: str | None = None
    sheet: str | None = None
    header_row: int | None = None  # 1 is the first line of the file
