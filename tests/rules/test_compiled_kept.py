"""A compiled function kept on disk is made anew when what it took from another file has changed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bihuan.epi import compiled
from bihuan.epi.visits import buckets

INNER = """from bihuan.epi.compiled import njit
NUMBER = {number}
@njit(cache=True)
def inner(x):
    return x * {factor}
"""
OUTER = """from bihuan.epi.compiled import njit
from bihuan.epi.inner import NUMBER, inner
@njit(cache=True)
def outer(x):
    return inner(x) + NUMBER
print(outer(10), "kept" if outer.stats.cache_hits else "made")
"""


@pytest.fixture
def house(tmp_path: Path) -> Path:
    epi = tmp_path / "bihuan" / "epi"
    epi.mkdir(parents=True)
    for folder in (epi.parent, epi):
        (folder / "__init__.py").write_text("", "utf-8")
    shutil.copy(compiled.__file__, epi)
    (epi / "outer.py").write_text(OUTER, "utf-8")
    return epi


def ask(house: Path, *, number: int, factor: int) -> str:
    (house / "inner.py").write_text(INNER.format(number=number, factor=factor), "utf-8")
    words = [sys.executable, "-B", "-c", "import bihuan.epi.outer"]
    free = {k: v for k, v in os.environ.items() if not k.startswith("NUMBA")} | {"PYTHONPATH": ""}
    done = subprocess.run(words, cwd=house.parents[1], env=free, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_a_function_or_a_number_changed_in_another_file_is_heeded_and_nothing_changed_is_not_compiled_again(
    house: Path,
):
    assert ask(house, number=1, factor=2) == "21 made"
    assert ask(house, number=1, factor=2) == "21 kept"
    assert ask(house, number=1, factor=3) == "31 made"
    assert ask(house, number=5, factor=3) == "35 made"


def test_a_file_is_kept_by_those_it_imports_and_by_theirs():
    names = {path.name for path in compiled.sources_of(Path(buckets.__file__))}
    assert {"buckets.py", "ranking.py", "rooms.py", "met.py", "sifting.py", "kernels.py", "turns.py"} <= names


def test_no_file_takes_its_compiler_from_elsewhere():
    epi = Path(compiled.__file__).parent
    texts = {p.name: p.read_text("utf-8") for p in epi.rglob("*.py") if p.name != "compiled.py"}
    assert [name for name, text in texts.items() if re.search(r"from numba import.*\bnjit\b", text)] == []
    assert sum("from bihuan.epi.compiled import njit" in text for text in texts.values()) > 10
