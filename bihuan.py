#!/usr/bin/env python3
"""Bihuan from a fresh clone, with nothing but Python on the machine.

    python3 bihuan.py demo [--port N] [--no-browser]   everything at once, with a synthetic outbreak
    python3 bihuan.py stop                             ends what the demo of this data folder started
    python3 bihuan.py test [--only STEP] [-- PYTEST]   every check
    python3 bihuan.py bench NAME                       one benchmark
    python3 bihuan.py ANYTHING                         the command line: bihuan ANYTHING

The first run makes a virtual environment in .venv from the lock files (pip fetches uv, uv fetches the rest);
later runs use it for as long as the lock files stay the same.
BIHUAN_HOME chooses the data folder, DATABASE_URL an outside PostgreSQL, BIHUAN_VENV another place for .venv.
"""

import sys

if not (3, 11) <= sys.version_info[:2] <= (3, 14):
    sys.exit(
        "Bihuan runs on Python 3.11 to 3.14; this is Python {}.{}. "
        "Call it with another one, for example: python3.11 bihuan.py demo".format(*sys.version_info[:2])
    )
if sys.platform == "win32":
    sys.exit("Bihuan runs on Linux and macOS; on Windows, run it inside WSL.")

import fcntl
import hashlib
import json
import os
import subprocess
import time
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = Path(os.environ.get("BIHUAN_VENV") or ROOT / ".venv")
PYTHON = VENV / "bin" / "python"
STAMP = VENV / ".bihuan-locks"
BOOTSTRAP = ROOT / "requirements-bootstrap.lock"
LOCKS = {"run": ROOT / "requirements.lock", "check": ROOT / "requirements-dev.lock"}


def main(words: list[str]) -> int:
    if words[:1] in ([], ["-h"], ["--help"]):
        print(__doc__)
        if not words:
            return 0
    first = words[0]
    prepare("check" if first in ("test", "bench") else "run")
    if first == "test":
        call = [str(ROOT / "scripts" / "check.py"), *words[1:]]
    elif first == "bench":
        call = ["-m", "benchmarks", *words[1:]]
    else:
        call = ["-m", "bihuan", *words]
    sys.stdout.flush()
    return os.execv(PYTHON, [str(PYTHON), *call])


def prepare(purpose: str) -> None:
    """Make .venv hold what the lock of this purpose says; at once when it does already."""
    wanted = {name: _digest(BOOTSTRAP, lock) for name, lock in LOCKS.items()}
    if _installed(purpose, wanted):
        return
    began = time.monotonic()
    VENV.parent.mkdir(parents=True, exist_ok=True)
    with (VENV.parent / (VENV.name + ".lock")).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if _installed(purpose, wanted):  # somebody else did it while we waited
            return
        _show("environment …", end="\r")
        if not _runs():
            _make_environment()
        STAMP.unlink(missing_ok=True)
        _install(LOCKS[purpose])
        _make_importable()
        covered = wanted if purpose == "check" else {"run": wanted["run"]}  # check holds all of run
        STAMP.write_text(json.dumps(covered))
    _show(f"✓ {'environment':<32}{time.monotonic() - began:5.1f} s")


def _installed(purpose: str, wanted: dict[str, str]) -> bool:
    try:
        return json.loads(STAMP.read_text()).get(purpose) == wanted[purpose] and PYTHON.exists()
    except (OSError, ValueError):
        return False


def _digest(*files: Path) -> str:
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()


def _runs() -> bool:
    """Whether the environment's Python is there and one of ours; it breaks when the machine's goes."""
    test = "import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))"
    try:
        return subprocess.run([PYTHON, "-c", test], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def _make_environment() -> None:
    try:
        venv.EnvBuilder(with_pip=True, clear=VENV.exists(), symlinks=True).create(VENV)
    except (subprocess.CalledProcessError, OSError) as error:
        sys.exit(
            f"The environment {VENV} cannot be made: {error}\n"
            "On Debian and Ubuntu the part of Python that does it is a package of its own: "
            "apt-get install python3-venv"
        )


def _install(lock: Path) -> None:
    """By uv, which takes seconds; by pip when uv is not to be had or fails."""
    pip = [str(PYTHON), "-m", "pip", "--disable-pip-version-check"]
    if _quietly([*pip, "--version"]) is not None:  # an environment that another tool made
        _quietly([str(PYTHON), "-m", "ensurepip"])
    got_uv = _quietly([*pip, "install", "-q", "--require-hashes", "--no-deps", "-r", str(BOOTSTRAP)])
    if got_uv is None:
        uv = [str(VENV / "bin" / "uv"), "pip", "install", "--quiet", "--require-hashes"]
        failure = _quietly([*uv, "--python", str(PYTHON), "-r", str(lock)], environment=_uv_environment(pip))
        if failure is None:
            return
        _show("uv could not install the packages; pip does it, more slowly.")
    failure = _quietly([*pip, "install", "-q", "--require-hashes", "--no-deps", "-r", str(lock)])
    if failure is not None:
        sys.exit(f"The packages of {lock.name} could not be installed.\n{failure}")


def _uv_environment(pip: list[str]) -> dict[str, str]:
    """Tell uv what pip was told about where packages come from; what was said to uv itself stands."""
    listed = subprocess.run([*pip, "config", "list"], capture_output=True, text=True, check=False).stdout
    said: dict[str, str] = {}
    for line in listed.splitlines():
        key, _, value = line.partition("=")
        said[key.split(".")[-1]] = " ".join(value.strip("'\"").replace("\\n", " ").split())
    told = {
        "UV_DEFAULT_INDEX": said.get("index-url", ""),
        "UV_INDEX": said.get("extra-index-url", ""),
        "UV_FIND_LINKS": said.get("find-links", "").replace(" ", ","),
        "SSL_CERT_FILE": said.get("cert", ""),
        "UV_INDEX_STRATEGY": "unsafe-best-match",  # every file is pinned by its hash, wherever it comes from
        "UV_NO_CONFIG": "1",
        "UV_PYTHON_DOWNLOADS": "never",
    }
    return {**{key: value for key, value in told.items() if value}, **os.environ}


def _quietly(words: list[str], environment: "dict[str, str] | None" = None) -> "str | None":
    """Run it; None when it went well, otherwise what it said."""
    try:
        done = subprocess.run(
            words,
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError as error:
        return str(error)
    return None if done.returncode == 0 else (done.stdout + done.stderr)[-3000:]


def _make_importable() -> None:
    """A line in site-packages, so that `bihuan` is found from any folder."""
    for folder in VENV.glob("lib/python3.*/site-packages"):
        (folder / "bihuan-checkout.pth").write_text(str(ROOT) + "\n")


def _show(text: str, end: str = "\n") -> None:
    if end == "\n" or sys.stdout.isatty():
        print(text, end=end, flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
