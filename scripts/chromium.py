"""Find a Chromium for the browser journeys, or install one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
PACKAGES = ("chromium", "fonts-noto-cjk")
MAC = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"


def find() -> str | None:
    """The path of a Chromium on this machine: BIHUAN_CHROMIUM, one on PATH, or playwright's own."""
    given = os.environ.get("BIHUAN_CHROMIUM")
    if given:
        return given if Path(given).exists() else None
    for name in NAMES:
        if found := shutil.which(name):
            return found
    if Path(MAC).exists():
        return MAC
    return _of_playwright()


def find_or_install() -> tuple[str | None, str]:
    """A path, or None and the reason why there is none."""
    if found := find():
        return found, ""
    if shutil.which("apt-get") and os.geteuid() == 0:
        said = _install_by_apt()
    else:
        said = _run([sys.executable, "-m", "playwright", "install", "chromium"])
    found = find()
    return found, "" if found else f"no Chromium was found, and installing one failed: {said[-400:].strip()}"


def _install_by_apt() -> str:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    _run(["apt-get", "update", "-qq"], environment)
    return _run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", *PACKAGES], environment)


def _of_playwright() -> str | None:
    try:
        from playwright.sync_api import sync_playwright

        with sync_playwright() as playwright:
            path = playwright.chromium.executable_path
    except Exception:  # whatever is wrong with playwright, there is no browser of it
        return None
    return path if Path(path).exists() else None


def _run(words: list[str], environment: dict[str, str] | None = None) -> str:
    try:
        done = subprocess.run(
            words,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return done.stdout + done.stderr


if __name__ == "__main__":
    path, why_not = find_or_install()
    print(path or why_not)
    sys.exit(0 if path else 1)
