"""Compiled functions that are kept on disk, and made anew when anything compiled into them has changed.

    from bihuan.epi.compiled import njit

Numba keeps a compiled function as long as the file it stands in is the same. But functions and numbers of
other files are compiled into it: after an update it would go on with those of before. Here it is kept by the
text of all files of this package that its own imports, and that these do.
"""

from __future__ import annotations

import hashlib
import re
from functools import cache
from pathlib import Path
from typing import Any, Final

import numba
from numba import njit
from numba.core.caching import InTreeCacheLocator, UserProvidedCacheLocator, UserWideCacheLocator

__all__ = ["njit", "sources_of"]

_PACKAGE: Final = "bihuan.epi"
_ROOT: Final = Path(__file__).resolve().parents[len(_PACKAGE.split("."))]
_IMPORT: Final = re.compile(
    rf"^[ \t]*(?:from[ \t]+({re.escape(_PACKAGE)}[\w.]*)[ \t]+import[ \t]+(\([^)]*\)|[^\n]*)"
    rf"|import[ \t]+({re.escape(_PACKAGE)}[\w.]*))",
    re.MULTILINE,
)


@cache
def sources_of(file: Path) -> tuple[Path, ...]:
    """`file`, and the files of this package that it imports, and that these import; sorted."""
    found, left = set(), [file.resolve()]
    while left:
        one = left.pop()
        if one not in found:
            found.add(one)
            left += _imported(one)
    return tuple(sorted(found))


@cache
def _imported(file: Path) -> tuple[Path, ...]:
    modules = set()
    for module, names, plain in _IMPORT.findall(file.read_text("utf-8")):
        modules.add(module or plain)
        modules |= {f"{module}.{name}" for name in re.findall(r"\w+", re.sub(r"\bas\s+\w+", "", names))}
    files = (_ROOT.joinpath(*module.split(".")).with_suffix(".py") for module in modules)
    return tuple(path for path in files if path.is_file())


@cache
def _stamp(file: Path) -> bytes:
    """What a function of this file is kept by."""
    digest = hashlib.sha256()
    for path in sources_of(file):
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.digest()


class _Whole:
    """Functions of this package are kept by all that is compiled into them; others as Numba does."""

    _py_file: str

    def get_source_stamp(self) -> Any:
        file = Path(self._py_file).resolve()
        if file.is_relative_to(_ROOT.joinpath(*_PACKAGE.split("."))):
            return _stamp(file)
        return super().get_source_stamp()  # type: ignore[misc]


class Chosen(_Whole, UserProvidedCacheLocator):
    """In the folder that NUMBA_CACHE_DIR names."""


class Beside(_Whole, InTreeCacheLocator):
    """Beside the file."""


class OfUser(_Whole, UserWideCacheLocator):
    """In the user's folder, where the one beside the file may not be written to."""


_config: Any = numba.config
if not _config.CACHE_LOCATOR_CLASSES:  # Numba's own setting comes first
    _config.CACHE_LOCATOR_CLASSES = ",".join(
        [*(f"{__name__}.{one.__name__}" for one in (Chosen, Beside, OfUser)), "IPythonCacheLocator"]
    )
