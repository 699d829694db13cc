"""A backup is one tar file: `manifest.json`, `database.dump` (pg_dump's custom format), `keys`, `visits.tar`.

The dump is one consistent snapshot. The manifest says which version wrote it and the SHA-256 of every member.
The keys (field encryption, audit seal, sessions) are needed to read identity numbers and to verify the audit
chain on another machine; they go along unless left out, encrypted (scrypt, AES-256-GCM) when a passphrase is
given. The visit store goes along as it stands between two writes, unless left out: a backup is not reached by
the deletion of days, so keep one with visits no longer than visits are kept. What is over by then is deleted
right after a restore; what was deleted by hand stands on a list (`visits.deletions` beside the store, and in
the manifest), and none of it is answered for again.

    BackupError (Invalid)
    ├── NotABackup       not one of ours, damaged, or cut off
    ├── WrongPassphrase
    ├── TooNew           written by a later PostgreSQL than the one here
    └── NotEmpty         (Conflict) the database here holds data, and replacing them was not asked for
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from django.utils.translation import gettext as _

from bihuan import __version__
from bihuan.config import postgres
from bihuan.epi.visits import deletions, snapshot
from bihuan.epi.visits.deletions import Deletion
from bihuan.epi.visits.layout import StoreError
from bihuan.registry.errors import Conflict, Invalid
from bihuan.registry.rls import CREATE_DOOR_ROLE

FORMAT = 3  # 1: without visits; 2: without the list of deleted days
MANIFEST, DUMP, KEYS, VISITS = "manifest.json", "database.dump", "keys", "visits.tar"
KEY_FILES = ("field.key", "django-secret-key", "visits.key", "exchange.key")
LOCK_PATIENCE = "15s"
_SALT, _NONCE = 16, 12
_SCRYPT = {"length": 32, "n": 2**15, "r": 8, "p": 1}


class BackupError(Invalid):
    code = "backup"


class NotABackup(BackupError):
    code = "not-a-backup"


class WrongPassphrase(BackupError):
    code = "wrong-passphrase"


class TooNew(BackupError):
    code = "too-new"


class NotEmpty(Conflict):
    code = "not-empty"


@dataclass(frozen=True)
class Manifest:
    """What a backup says of itself. `keys` is "none", "plain" or "encrypted"; times are UTC; `visits` is the
    number of stays in it, None without the visit store; `deletions` which of its days were deleted, when and
    by whom, before it was written (`bihuan.epi.visits.deletions`)."""

    made_at: str
    version: str
    postgres_major: int
    mode: str
    mark: str
    keys: str
    sha256: Mapping[str, str] = field(default_factory=dict)
    format: int = FORMAT
    visits: int | None = None
    deletions: Sequence[Mapping[str, str]] = ()


@dataclass(frozen=True)
class Place:
    """A database as pg_dump and psql are told of it."""

    environment: Mapping[str, str]
    major: int

    @classmethod
    def of(cls, settings: Mapping[str, Any], *, major: int) -> Place:
        """From an entry of Django's DATABASES."""
        told = {
            "PGHOST": settings["HOST"],
            "PGPORT": settings["PORT"],
            "PGUSER": settings["USER"],
            "PGPASSWORD": settings["PASSWORD"],
            "PGDATABASE": settings["NAME"],
            "PGSSLMODE": settings.get("OPTIONS", {}).get("sslmode", ""),
        }
        return cls(environment={key: str(value) for key, value in told.items() if value}, major=major)


def write(
    file: Path,
    place: Place,
    *,
    home: Path,
    mode: str,
    mark: str,
    keys: bool,
    passphrase: str,
    visits: bool = True,
) -> Manifest:
    """Write a backup; the file appears under its name only when it is whole, with mode 0600."""
    making = file.with_name(file.name + ".making")
    with tempfile.TemporaryDirectory(prefix="bihuan-backup-", dir=file.parent) as name:
        folder = Path(name)
        _dump(folder / DUMP, place)
        kept = _write_keys(folder / KEYS, home=home, passphrase=passphrase) if keys else "none"
        stays = _write_visits(folder / VISITS, home=home) if visits else None
        members = [path for path in (folder / DUMP, folder / KEYS, folder / VISITS) if path.exists()]
        manifest = Manifest(
            made_at=datetime.now(UTC).isoformat(timespec="seconds"),
            version=__version__,
            postgres_major=place.major,
            mode=mode,
            mark=mark,
            keys=kept,
            sha256={path.name: _sha256(path) for path in members},
            visits=stays,
            deletions=[asdict(one) for one in deletions.read(home / "visits")] if visits else [],
        )
        (folder / MANIFEST).write_text(json.dumps(asdict(manifest), indent=2))
        handle = os.open(making, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb") as out, tarfile.open(fileobj=out, mode="w") as tar:
            for path in (folder / MANIFEST, *members):
                tar.add(path, arcname=path.name)
            out.flush()
            os.fsync(out.fileno())
    making.replace(file)
    return manifest


@contextmanager
def opened(file: Path) -> Iterator[tuple[Manifest, Path]]:
    """The manifest and a folder with the checked members of a backup, for as long as this lasts."""
    with tempfile.TemporaryDirectory(prefix="bihuan-restore-") as name:
        folder = Path(name)
        try:
            with tarfile.open(file) as tar:
                for member in (MANIFEST, DUMP, KEYS, VISITS):
                    with contextlib.suppress(KeyError):
                        tar.extract(member, folder, filter="data")
            manifest = Manifest(**json.loads((folder / MANIFEST).read_text()))
        except (tarfile.TarError, OSError, ValueError, TypeError, EOFError) as error:
            told = _("%(file)s is not a backup of Bihuan, or it is damaged: %(why)s")
            raise NotABackup(told % {"file": file, "why": error}) from error
        if manifest.format > FORMAT:
            told = _("%(file)s was written by a later Bihuan (%(version)s); this is %(ours)s.")
            raise TooNew(told % {"file": file, "version": manifest.version, "ours": __version__})
        for member, digest in manifest.sha256.items():
            if not (folder / member).exists() or _sha256(folder / member) != digest:
                told = _("%(file)s is damaged: %(member)s is not what the manifest says it is.")
                raise NotABackup(told % {"file": file, "member": member})
        yield manifest, folder


def restore(
    manifest: Manifest,
    folder: Path,
    place: Place,
    *,
    home: Path,
    passphrase: str,
    replace: bool,
    is_empty: bool,
) -> None:
    """Put a backup into the database and its keys into `home`: all of it, or on any error nothing."""
    if manifest.postgres_major > place.major:
        raise TooNew(
            _("The backup is of PostgreSQL %(theirs)d, and here is %(ours)d.")
            % {"theirs": manifest.postgres_major, "ours": place.major},
            hint=_("Restore into PostgreSQL %(theirs)d or later (DATABASE_URL).")
            % {"theirs": manifest.postgres_major},
        )
    if not (is_empty or replace):
        raise NotEmpty(
            _("The database here holds data already."),
            hint=_("Choose an empty data folder (BIHUAN_HOME), or say --replace to lose what is here."),
        )
    keys = _read_keys(folder / KEYS, manifest, passphrase=passphrase)
    _refuse_other_keys(keys, home=home, replace=replace)
    deleted = _deletions(manifest)
    with _visits_beside(folder / VISITS, home=home, replace=replace, deleted=deleted) as lay_visits:
        _load(folder / DUMP, place)
        lay_visits()
        _lay_keys(keys, home=home)


# The database


def _dump(target: Path, place: Place) -> None:
    _run([_program("pg_dump", place), "--format=custom", "--no-owner", f"--file={target}"], place)


def _load(dump: Path, place: Place) -> None:
    """In one transaction: empty the schema and fill it again, so that a failure leaves what was there."""
    before = (
        f"SET lock_timeout = '{LOCK_PATIENCE}'; SET client_min_messages = warning;"
        f"{CREATE_DOOR_ROLE} DROP SCHEMA public CASCADE; CREATE SCHEMA public;"
    )
    with tempfile.TemporaryDirectory(prefix="bihuan-sql-") as name:
        script = Path(name) / "restore.sql"
        with script.open("w") as out:
            out.write(before + "\n")
        listed = Path(name) / "list"
        _run([_program("pg_restore", place), "--list", f"--file={listed}", str(dump)], place)
        listed.write_text("".join(line for line in listed.open() if " SCHEMA - public " not in line))
        words = [_program("pg_restore", place), "--no-owner", f"--use-list={listed}", "--file=-", str(dump)]
        with script.open("a") as out:
            _run(words, place, out=out)
        words = [_program("psql", place), "-X", "-q", "-v", "ON_ERROR_STOP=1", "--single-transaction"]
        _run([*words, "-o", os.devnull, "-f", str(script)], place)


def _program(name: str, place: Place) -> str:
    """The program of the server's own major version, or a later one, from the wheel; else PATH's."""
    bundled = postgres.installed_programs()
    folders = [bundled, bundled.parent.with_name("pginstall18") / "bin"]
    for folder, major in zip(folders, (int(postgres.MAJOR), 18), strict=True):
        if major >= place.major and (folder / name).exists():
            return str(folder / name)
    found = shutil.which(name)
    if found is None:
        told = _("There is no %(name)s for PostgreSQL %(major)d on this machine.")
        raise BackupError(told % {"name": name, "major": place.major})
    return found


def _run(words: list[str], place: Place, *, out: Any = None) -> None:
    done = subprocess.run(
        words,
        env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", **place.environment},
        stdin=subprocess.DEVNULL,
        stdout=out or subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode == 0:
        return
    hint = ""
    if "lock timeout" in done.stderr:
        hint = _("Somebody is using the database: stop the server and the worker first.")
    said = {"name": Path(words[0]).name, "said": done.stderr.strip()[-600:]}
    raise BackupError(_("%(name)s failed: %(said)s") % said, hint=hint)


# The visit store


def _write_visits(target: Path, *, home: Path) -> int | None:
    """The store as one tar, its segments linked while it is held; None when there is no store."""
    store = home / "visits"
    if not (store / "store.json").exists():
        return None
    with tempfile.TemporaryDirectory(prefix="visits-backup-", dir=home) as name:
        copy = Path(name) / "visits"
        stays = snapshot.take(store, copy)
        with tarfile.open(target, "w") as tar:
            tar.add(copy, arcname="visits")
    return stays


@contextmanager
def _visits_beside(
    source: Path, *, home: Path, replace: bool, deleted: Sequence[Deletion]
) -> Iterator[Callable[[], None]]:
    """Unpack and check the store of a backup beside the one here; what is given puts it in place."""
    if not source.exists():
        yield lambda: None
        return
    store = home / "visits"
    if (store / "store.json").exists() and not replace:
        raise NotEmpty(
            _("There is a visit store in %(folder)s already.") % {"folder": store},
            hint=_("Choose an empty data folder (BIHUAN_HOME), or say --replace to lose what is here."),
        )
    home.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="visits-restore-", dir=home) as name:
        with tarfile.open(source) as tar:
            tar.extractall(name, filter="data")
        copy = Path(name) / "visits"
        try:
            snapshot.check(copy)
        except StoreError as error:
            raise NotABackup(str(error)) from error
        yield lambda: snapshot.put_in_place(copy, store, deleted=deleted)


def _deletions(manifest: Manifest) -> list[Deletion]:
    try:
        return [Deletion(**one) for one in manifest.deletions]
    except TypeError as error:
        told = _("The list of deleted days in this backup cannot be read: %(why)s")
        raise NotABackup(told % {"why": error}) from error


# The keys


def _write_keys(target: Path, *, home: Path, passphrase: str) -> str:
    files = {name: home / "secrets" / name for name in KEY_FILES}
    found = {name: path.read_text() for name, path in files.items() if path.exists()}
    if not found:
        return "none"
    clear = json.dumps(found).encode()
    target.touch(mode=0o600)
    if not passphrase:
        target.write_bytes(clear)
        return "plain"
    salt, nonce = os.urandom(_SALT), os.urandom(_NONCE)
    target.write_bytes(salt + nonce + AESGCM(_key(passphrase, salt)).encrypt(nonce, clear, None))
    return "encrypted"


def _read_keys(source: Path, manifest: Manifest, *, passphrase: str) -> dict[str, str]:
    if manifest.keys == "none":
        return {}
    raw = source.read_bytes()
    if manifest.keys == "encrypted":
        if not passphrase:
            raise WrongPassphrase(
                _("The keys in this backup are encrypted."),
                hint=_("Give their passphrase by BIHUAN_BACKUP_PASSPHRASE."),
            )
        salt, nonce, cipher = raw[:_SALT], raw[_SALT : _SALT + _NONCE], raw[_SALT + _NONCE :]
        try:
            raw = AESGCM(_key(passphrase, salt)).decrypt(nonce, cipher, None)
        except InvalidTag:
            raise WrongPassphrase(_("This passphrase does not open the keys in the backup.")) from None
    return {name: text for name, text in json.loads(raw).items() if name in KEY_FILES}


def _refuse_other_keys(keys: Mapping[str, str], *, home: Path, replace: bool) -> None:
    path = home / "secrets" / "field.key"
    if replace or not path.exists() or path.read_text() == keys.get("field.key", path.read_text()):
        return
    raise NotEmpty(
        _("%(file)s holds other keys than the backup.") % {"file": path},
        hint=_("Choose an empty data folder (BIHUAN_HOME), or say --replace to lose the keys that are here."),
    )


def _lay_keys(keys: Mapping[str, str], *, home: Path) -> None:
    folder = home / "secrets"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name, text in keys.items():
        making = folder / f"{name}.making"
        making.unlink(missing_ok=True)
        handle = os.open(making, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(text)
        making.replace(folder / name)


def _key(passphrase: str, salt: bytes) -> bytes:
    return Scrypt(salt=salt, **_SCRYPT).derive(passphrase.encode())


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
