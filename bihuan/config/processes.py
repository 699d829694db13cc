"""Who is running: process ids told apart from later ones that happen to bear the same number."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Process:
    """A process by its id and the moment it began, so that a reused id is never taken for it."""

    pid: int
    began: str

    def is_alive(self) -> bool:
        return began_at(self.pid) == self.began

    def send(self, sign: signal.Signals) -> bool:
        """Send a signal if the process is still the same one; False when it is gone."""
        if not self.is_alive():
            return False
        try:
            os.kill(self.pid, sign)
        except ProcessLookupError:
            return False
        return True


def began_at(pid: int) -> str | None:
    """A stamp of when the process began, or None when there is none (or only its remains)."""
    stat = Path(f"/proc/{pid}/stat")
    if Path("/proc/self/stat").exists():
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except (OSError, UnicodeDecodeError):
            return None
        return None if fields[0] in "ZX" else fields[19]
    asked = subprocess.run(
        ["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return asked.stdout.strip() or None


def myself() -> Process:
    return find(os.getpid()) or Process(os.getpid(), "?")


def find(pid: int) -> Process | None:
    began = began_at(pid)
    return Process(pid, began) if began else None


def end(process: Process, *, patience: float, sign: signal.Signals = signal.SIGTERM) -> bool:
    """Ask the process to end, then make it after `patience` seconds; True when it ended by itself."""
    if not process.send(sign):
        return True
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        if not process.is_alive():
            return True
        time.sleep(0.05)
    process.send(signal.SIGKILL)
    return False
