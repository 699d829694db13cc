"""The launcher: which Python it takes, when it installs anew, what it tells uv, what it hands over."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def launcher(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """bihuan.py with an environment folder of its own and nothing that reaches a network."""
    monkeypatch.setenv("BIHUAN_VENV", str(tmp_path / "env"))
    spec = importlib.util.spec_from_file_location("launcher", ROOT / "bihuan.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def installs(launcher: ModuleType, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What would have been installed, in order; an environment is made of two empty files."""
    done: list[str] = []

    def make() -> None:
        done.append("venv")
        launcher.PYTHON.parent.mkdir(parents=True, exist_ok=True)
        launcher.PYTHON.touch()
        (launcher.VENV / "lib" / "python3.11" / "site-packages").mkdir(parents=True, exist_ok=True)

    monkeypatch.setattr(launcher, "_make_environment", make)
    monkeypatch.setattr(launcher, "_runs", lambda: launcher.PYTHON.exists())
    monkeypatch.setattr(launcher, "_install", lambda lock: done.append(lock.name))
    return done


def test_it_installs_once_and_then_not_again(launcher: ModuleType, installs: list[str]) -> None:
    launcher.prepare("run")
    launcher.prepare("run")
    assert installs == ["venv", "requirements.lock"]


def test_the_check_needs_more_and_holds_what_running_needs(launcher: ModuleType, installs: list[str]) -> None:
    launcher.prepare("check")
    launcher.prepare("run")
    assert installs == ["venv", "requirements-dev.lock"]


def test_a_changed_lock_is_installed_into_the_same_environment(
    launcher: ModuleType, installs: list[str], tmp_path: Path
) -> None:
    launcher.prepare("run")
    changed = tmp_path / "requirements.lock"
    changed.write_bytes(launcher.LOCKS["run"].read_bytes() + b"\n")
    launcher.LOCKS["run"] = changed
    launcher.prepare("run")
    assert installs == ["venv", "requirements.lock", "requirements.lock"]


def test_an_installation_that_was_cut_off_is_done_again(
    launcher: ModuleType, installs: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut(lock: Path) -> None:
        raise KeyboardInterrupt

    whole = launcher._install
    monkeypatch.setattr(launcher, "_install", cut)
    with pytest.raises(KeyboardInterrupt):
        launcher.prepare("run")
    monkeypatch.setattr(launcher, "_install", whole)
    launcher.prepare("run")
    assert installs == ["venv", "requirements.lock"]


def test_pip_takes_over_when_uv_fails(launcher: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[str] = []

    def run(words: list[str], environment: object = None) -> str | None:
        if words[-1] != "--version":
            called.append("uv" if words[0].endswith("/uv") else "pip")
        return "no network" if words[0].endswith("/uv") else None

    monkeypatch.setattr(launcher, "_quietly", run)
    monkeypatch.setattr(launcher, "_uv_environment", lambda pip: {})
    launcher._install(launcher.LOCKS["run"])
    assert called == ["pip", "uv", "pip"]


def test_it_says_so_when_neither_can_install(launcher: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launcher, "_quietly", lambda words, environment=None: "no network")
    with pytest.raises(SystemExit, match=r"requirements\.lock could not be installed.\nno network"):
        launcher._install(launcher.LOCKS["run"])


def test_uv_is_told_what_pip_was_told(launcher: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("UV_DEFAULT_INDEX", "UV_INDEX", "UV_FIND_LINKS", "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)
    listed = "global.index-url='file:///a/simple'\n:env:.find-links='/b /c'\nglobal.cert='/d.pem'\n"
    monkeypatch.setattr(
        launcher.subprocess, "run", lambda *words, **how: subprocess.CompletedProcess([], 0, stdout=listed)
    )
    told = launcher._uv_environment(["pip"])
    assert told["UV_DEFAULT_INDEX"] == "file:///a/simple"
    assert told["UV_FIND_LINKS"] == "/b,/c"
    assert told["SSL_CERT_FILE"] == "/d.pem"


@pytest.mark.parametrize(
    ("words", "called"),
    [
        (["loops", "check", "--json"], ["-m", "bihuan", "loops", "check", "--json"]),
        (["demo", "--port", "9"], ["-m", "bihuan", "demo", "--port", "9"]),
        (["bench", "duties"], ["-m", "benchmarks", "duties"]),
        (["test", "--only", "ruff"], [str(ROOT / "scripts" / "check.py"), "--only", "ruff"]),
    ],
)
def test_it_hands_over_to_the_right_program(
    launcher: ModuleType, monkeypatch: pytest.MonkeyPatch, words: list[str], called: list[str]
) -> None:
    handed: list[list[str]] = []
    monkeypatch.setattr(launcher, "prepare", lambda purpose: None)
    monkeypatch.setattr(launcher.os, "execv", lambda path, call: handed.append(call[1:]))
    launcher.main(words)
    assert handed == [called]


@pytest.mark.parametrize(
    ("version", "taken"), [((3, 10), False), ((3, 11), True), ((3, 14), True), ((3, 15), False)]
)
def test_it_names_the_pythons_it_runs_on(version: tuple[int, int], taken: bool) -> None:
    code = (
        "import sys, runpy\n"
        f"sys.version_info = type('V', (tuple,), {{}})({version!r})\n"
        f"sys.argv = ['bihuan.py', '--help']\nrunpy.run_path({str(ROOT / 'bihuan.py')!r}, run_name='other')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode == 0) is taken, done.stderr
    if not taken:
        assert f"this is Python {version[0]}.{version[1]}" in done.stderr


def test_the_lock_files_name_no_address() -> None:
    for name in (
        "requirements.lock",
        "requirements-dev.lock",
        "requirements-bootstrap.lock",
        "package-lock.json",
    ):
        text = (ROOT / name).read_text()
        assert "://" not in text, name


def test_the_npm_lock_pins_what_package_json_asks_for() -> None:
    asked = json.loads((ROOT / "package.json").read_text())
    locked = json.loads((ROOT / "package-lock.json").read_text())["packages"]
    for name, version in {**asked.get("dependencies", {}), **asked["devDependencies"]}.items():
        assert locked[f"node_modules/{name}"]["version"] == version
