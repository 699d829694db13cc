"""What was reported and what is still to come, drawn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bihuan.epi.figures.canvas import Picture


def plot_nowcast(found: Any, *, lang: str = "en", path: str | Path | None = None) -> Picture:
    raise NotImplementedError
