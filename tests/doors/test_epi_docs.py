"""docs/tutorial/epi.md and docs/reference/epi.md: the examples are run, and every function is told of."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

import pytest

from bihuan import epi
from bihuan.doors.cli.epi.detect import METHODS
from bihuan.doors.cli.main import run

DOCS = Path(__file__).resolve().parents[2] / "docs"
TUTORIAL, REFERENCE = DOCS / "tutorial" / "epi.md", DOCS / "reference" / "epi.md"


def blocks(path: Path) -> list[tuple[str, str]]:
    """Fenced blocks in order: language and text."""
    return re.findall(r"^```(\w+)\n(.*?)^```$", path.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def test_the_tutorial_prints_what_stands_in_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    said = ""
    for language, text in blocks(TUTORIAL):
        if language == "text":
            assert said == text
            continue
        with contextlib.redirect_stdout(io.StringIO()) as out:
            exec(compile(text, str(TUTORIAL), "exec"), names)
        said = out.getvalue()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["epi-cluster.png", "epi-flu2009.png"]


def test_the_published_figure_and_the_cluster_take_five_lines_each():
    code = [text for language, text in blocks(TUTORIAL) if language == "python"]
    for wanted in ("epi-flu2009.png", "epi-cluster.png"):
        figure = next(text for text in code if wanted in text)
        assert len([line for line in figure.splitlines() if line]) == 5


def test_the_scan_of_the_tutorial_gives_the_cluster_of_satscan(shared, tmp_path, monkeypatch, capsys):
    command = re.search(r"CASE=(\S+)\n +python3 bihuan.py (.*?)\n\n", TUTORIAL.read_text(), re.DOTALL)
    assert command is not None
    case = shared / Path(command[1]).relative_to("../shared")
    monkeypatch.chdir(tmp_path)
    words = command[2].replace("\\\n", " ").replace("$CASE", str(case)).split()
    assert run([*words, "--lang", "en"]) == 0
    assert "C014, C015, C016, C020, C021" in capsys.readouterr().out
    assert (tmp_path / "clusters.png").exists()


@pytest.mark.parametrize("name", epi.__all__)
def test_the_reference_tells_of_every_public_name(name):
    assert re.search(rf"`{name}\b", REFERENCE.read_text(encoding="utf-8")), name


@pytest.mark.parametrize("name", METHODS)
def test_the_reference_tells_of_every_method_of_the_command_line(name):
    assert f"`{name}`" in REFERENCE.read_text(encoding="utf-8")


def test_links_of_both_pages_lead_somewhere():
    for page in (TUTORIAL, REFERENCE):
        for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8")):
            assert target.startswith("http") or (page.parent / target).exists(), f"{page.name}: {target}"
