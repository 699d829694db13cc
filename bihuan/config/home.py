"""The data folder of an installation: where it is, what it is for, which secrets it keeps. No Django here."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

MODES = ("production", "demo", "drill", "test")
SECRET_KEY = "django-secret-key"


class HomeError(Exception):
    """The data folder or the environment that names it is not usable; the message says what to do."""


def default_home() -> Path:
    return Path("/var/lib/bihuan") if os.geteuid() == 0 else Path.home() / ".local" / "share" / "bihuan"


def home() -> Path:
    """The data folder: BIHUAN_HOME, else /var/lib/bihuan for root, else ~/.local/share/bihuan."""
    given = os.environ.get("BIHUAN_HOME")
    return Path(given).expanduser().absolute() if given else default_home()


def mode() -> str:
    """What the installation is for: BIHUAN_MODE, else what its folder remembers, else production."""
    found = os.environ.get("BIHUAN_MODE") or _read(home() / "mode") or "production"
    if found not in MODES:
        raise HomeError(f"BIHUAN_MODE is {found!r}; it must be one of {', '.join(MODES)}.")
    return found


def is_settled() -> bool:
    """Whether the mode was chosen before, by the environment or by the folder."""
    return bool(os.environ.get("BIHUAN_MODE") or _read(home() / "mode"))


def remember_mode(value: str) -> None:
    home().mkdir(parents=True, exist_ok=True)
    (home() / "mode").write_text(value + "\n")


def secret(name: str) -> str | None:
    """A secret kept in the data folder, None when there is none yet."""
    return _read(home() / "secrets" / name)


def make_secret(name: str) -> str:
    """The secret of this name, made on first use with mode 0600; the first maker wins."""
    folder = home() / "secrets"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        handle = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(secrets.token_urlsafe(48))
    return (folder / name).read_text().strip()


def _read(path: Path) -> str | None:
    try:
        return path.read_text().strip() or None
    except OSError:
        return None
