"""Every check, each timed; all failures are shown. `python3 bihuan.py test` runs it.

python3 bihuan.py test                     everything
python3 bihuan.py test --only mypy         one step (repeat for more)
python3 bihuan.py test -- -k escalates     what follows -- goes to pytest
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PYTHON = sys.executable
BIN = Path(sys.executable).parent
CODE = [name for name in ("bihuan", "tests", "scripts", "benchmarks") if (ROOT / name).is_dir()]
AT_ONCE = 2


@dataclass(frozen=True)
class Step:
    name: str
    words: list[str]
    environment: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    step: Step
    code: int
    seconds: float
    said: str


STATIC = [  # the slow one first
    Step("mypy", [str(BIN / "mypy"), *CODE]),
    Step("ruff", [str(BIN / "ruff"), "check", "--quiet", "."]),
    Step("format", [str(BIN / "ruff"), "format", "--check", "--quiet", "."]),
    Step("imports", [str(BIN / "lint-imports"), "--no-cache"], {"PYTHONPATH": str(ROOT)}),
    Step("migrations", [PYTHON, "-W", "ignore", "-m", "django", "makemigrations", "--check", "--dry-run"]),
    Step("translations", [PYTHON, "-m", "bihuan", "messages", "--check"]),
    Step("typescript", [PYTHON, str(ROOT / "scripts" / "frontend.py"), "types"]),
    Step("front end", [PYTHON, str(ROOT / "scripts" / "frontend.py")]),
]
PYTEST = "pytest"


def main() -> int:
    options = _arguments()
    os.chdir(ROOT)
    if options.on:
        os.environ["BIHUAN_TEST_POSTGRES"] = options.on
    wanted = options.only or [step.name for step in STATIC] + [PYTEST]
    with tempfile.TemporaryDirectory(prefix="bihuan-check-") as folder:
        os.environ |= {"DJANGO_SETTINGS_MODULE": "bihuan.config.settings", "PYTHONDONTWRITEBYTECODE": ""}
        failed = _run_static([step for step in STATIC if step.name in wanted], home=folder)
    if PYTEST in wanted:
        failed += _run_pytest(options.pytest)
    if failed:
        print(f"✗ failed: {', '.join(failed)}", flush=True)
        return 1
    print("✓ all checks passed", flush=True)
    return 0


def _arguments() -> argparse.Namespace:
    names = [step.name for step in STATIC] + [PYTEST]
    parser = argparse.ArgumentParser(
        prog="bihuan.py test", description=__doc__.split("\n")[0] if __doc__ else ""
    )
    parser.add_argument("--only", action="append", choices=names, metavar="STEP", help=", ".join(names))
    ours, theirs = sys.argv[1:], []
    if "--" in ours:
        at = ours.index("--")
        ours, theirs = ours[:at], ours[at + 1 :]
    parser.add_argument("--on", metavar="FOLDER", help="run pytest on the PostgreSQL programs of this folder")
    options, more = parser.parse_known_args(ours)
    options.pytest = [*more, *theirs]
    return options


def _run_static(steps: list[Step], *, home: str) -> list[str]:
    failed = []
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for outcome in pool.map(lambda step: _run(step, home=home), steps):
            _show(outcome)
            if outcome.code:
                failed.append(outcome.step.name)
    return failed


def _run(step: Step, *, home: str) -> Outcome:
    began = time.monotonic()
    quiet = {"BIHUAN_HOME": home, "BIHUAN_MODE": "test"}
    try:
        done = subprocess.run(
            step.words,
            env={**os.environ, **quiet, **step.environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
    except OSError as error:
        return Outcome(step, 1, time.monotonic() - began, str(error))
    return Outcome(step, done.returncode, time.monotonic() - began, done.stdout)


def _show(outcome: Outcome) -> None:
    mark = "✗" if outcome.code else "✓"
    print(f"{mark} {outcome.step.name:<32}{outcome.seconds:5.1f} s", flush=True)
    if outcome.code:
        print(outcome.said.rstrip(), flush=True)


def _run_pytest(words: list[str]) -> list[str]:
    """Pytest with its own output; browser journeys need Chromium, which is looked for or installed here."""
    began = time.monotonic()
    from chromium import find_or_install

    browser, why_not = find_or_install()
    if browser:
        os.environ["BIHUAN_CHROMIUM"] = browser
    elif _in_ci():
        print(f"✗ browser journeys: {why_not}", flush=True)
        return ["journeys"]
    else:
        print(f"! browser journeys are skipped: {why_not}", flush=True)
    parallel = [] if any(word.startswith("-n") for word in words) else ["-n", str(AT_ONCE)]
    done = subprocess.run([PYTHON, "-m", "pytest", "-q", *parallel, *words], cwd=ROOT, check=False)
    if done.returncode == 5 and words:  # a choice of tests that holds none is not a failure of the tests
        print("! no test was chosen", flush=True)
    mark = "✗" if done.returncode else "✓"
    print(f"{mark} {PYTEST:<32}{time.monotonic() - began:5.1f} s", flush=True)
    return [PYTEST] if done.returncode else []


def _in_ci() -> bool:
    return os.environ.get("CI", "").lower() in ("1", "true")


if __name__ == "__main__":
    if shutil.which(str(BIN / "pytest")) is None:
        sys.exit("The packages of the check are not installed; call `python3 bihuan.py test`.")
    sys.exit(main())
