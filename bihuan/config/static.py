"""Static files: collected under hashed names, compressed, and served by whitenoise."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any

from whitenoise.storage import CompressedManifestStaticFilesStorage

#: What Vite built bears a hash in its name already; modules import each other by it.
BUILT = "web/dist/"
_VITE_NAME = re.compile(r"^/static/web/dist/assets/.+-[\w-]{8}\.\w+$")


class Storage(CompressedManifestStaticFilesStorage):
    """Django's hashed names for everything but what Vite has hashed."""

    def hashed_name(self, name: str, content: Any = None, filename: str | None = None) -> str:
        if name.startswith(BUILT):
            return name
        return super().hashed_name(name, content, filename)

    def url_converter(self, name: str, hashed_files: Any, template: Any = None, *more: Any) -> Any:
        if not name.startswith(BUILT):
            return super().url_converter(name, hashed_files, template, *more)
        return lambda match: match.group()


def never_changes(path: str, url: str) -> bool:
    """Whether whitenoise may tell browsers to keep a file for ever."""
    return bool(_VITE_NAME.match(url) or re.match(r"^.+\.[0-9a-f]{12}\.\w+$", url))


def stamp(folders: list[Path]) -> str:
    """Changes whenever a static source file does."""
    digest = hashlib.sha256()
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                stat = path.stat()
                digest.update(f"{path}\0{stat.st_size}\0{stat.st_mtime_ns}\n".encode())
    return digest.hexdigest()
