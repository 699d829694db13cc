"""Built names of the front-end entries, from the manifest that Vite writes."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from django.core.exceptions import ImproperlyConfigured

DIST: Final = Path(__file__).resolve().parent / "static" / "web" / "dist"
MANIFEST: Final = DIST / "manifest.json"
ENTRIES: Final = "bihuan/doors/web/assets/entries"


@lru_cache(maxsize=2)
def _manifest(stamp: float) -> dict[str, Any]:
    chunks: dict[str, Any] = json.loads(MANIFEST.read_text("utf-8"))
    return chunks


def built(entry: str) -> tuple[str, list[str]]:
    """Return the static paths of an entry's script and its style sheets."""
    try:
        chunks = _manifest(MANIFEST.stat().st_mtime)
    except FileNotFoundError as missing:
        raise ImproperlyConfigured(
            f"{MANIFEST} is missing: the front end is not built. Run `python3 bihuan.py demo`, or "
            "`npm ci && npx vite build` in a checkout."
        ) from missing
    chunk = chunks[f"{ENTRIES}/{entry}.ts"]
    return f"web/dist/{chunk['file']}", [f"web/dist/{css}" for css in chunk.get("css", [])]
