"""How large a file may be before it is refused. Bounds of this door, not of any policy pack."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Bytes, counts and ratios above which a file is refused.

    `ratio_floor`: a packed spreadsheet smaller than this when unpacked is never called a bomb,
    because short repetitive sheets pack very well.
    """

    file_bytes: int = 512 * 1024 * 1024
    unpacked_bytes: int = 1024 * 1024 * 1024
    unpacked_ratio: int = 150
    ratio_floor: int = 64 * 1024 * 1024
    zip_entries: int = 5_000
    columns: int = 500
    cells_in_sheet: int = 60_000_000
    cell_characters: int = 32_767
    sheet_rows: int = 1_048_576
    sheet_memory_bytes: int = 4 * 1024 * 1024 * 1024
    sheet_cpu_seconds: int = 300


LIMITS = Limits()
