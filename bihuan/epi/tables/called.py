"""Files that lie somewhere else than those who sent them know: told of by the name they know."""

from __future__ import annotations

import glob
import re
from pathlib import Path


class Called(type(Path())):  # type: ignore[misc]  # a path of the system at hand
    """A path that goes by another name than its last part; errors speak of it by that name."""

    called: str  # what `called` gives it; paths made from it have none

    @property
    def name(self) -> str:
        return getattr(self, "called", "") or super().name  # its folders go by their own


def called(path: Path, name: str) -> Path:
    """The same file, by the name it was sent under; a folder in that name is left out."""
    other = Called(path)
    other.called = Path(name.replace("\\", "/")).name or path.name
    return other


def by_name(said: str, path: Path) -> str:
    """What a program said of a file, without places of this machine: the file goes by its name, and so does
    any copy of it."""
    for place in sorted({str(path), str(path.absolute()), glob.escape(str(path))}, key=len, reverse=True):
        said = said.replace(place, path.name)
    return re.sub(r"""(["'])/[^"']*\1""", lambda found: f"{found[1]}{path.name}{found[1]}", said)
