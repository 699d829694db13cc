"""A command loads what it needs, and no more."""

from __future__ import annotations

import subprocess
import sys

import pytest

#: Each takes half a second or more.
SLOW = ("matplotlib", "scipy.stats", "scipy.optimize", "pypinyin")
ASK = (
    "import sys; from bihuan.doors.cli.main import run; code = run(sys.argv[1:]); "
    f"print(code, *sorted({{*{SLOW!r}}} & {{*sys.modules}}), file=sys.stderr)"
)


@pytest.mark.parametrize(
    "words", ["--help", "visits stats --help", "loops check --help", "policy lint packs"]
)
def test_a_command_that_draws_and_spells_nothing_loads_neither_pictures_nor_dictionaries(words: str) -> None:
    ran = subprocess.run([sys.executable, "-c", ASK, *words.split()], capture_output=True, text=True)
    assert ran.stderr.splitlines()[-1] == "0", ran.stderr
