"""Files that survive a power cut: written beside their place, flushed, and moved there in one step."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb

from bihuan.epi.errors import EpiError

#: Ending of what is being written; a file with it after a crash is nobody's and is removed.
UNFINISHED = ".tmp"


class StoreError(EpiError):
    """The store cannot be used as asked."""


class StoreBusy(StoreError):
    """Another process is writing; what is to be written waits."""


class StoreFull(StoreError):
    """The disk has no room; what was durable before is as it was."""


@contextmanager
def full_is_told(folder: Path) -> Iterator[None]:
    """A full disk as StoreFull, whether Python or DuckDB met it."""
    try:
        yield
    except (OSError, duckdb.Error) as error:
        if not _is_full(error):
            raise
        raise StoreFull(
            f"the disk that holds {folder} is full; what was kept before is untouched, nothing of this part "
            "was added. Make room and do the same again",
            f"{folder} 所在磁盘已满；此前保存的不受影响，本批未写入。请腾出空间后重新执行",
            field="store",
        ) from error


def _is_full(error: OSError | duckdb.Error) -> bool:
    if isinstance(error, OSError):
        return error.errno in (errno.ENOSPC, errno.EDQUOT)
    return os.strerror(errno.ENOSPC) in str(error) or os.strerror(errno.EDQUOT) in str(error)


def flush_folder(folder: Path) -> None:
    """Make the names in `folder` durable."""
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def flush_file(path: Path) -> None:
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


@contextmanager
def placed(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """A temporary path to write; afterwards it stands at `path`, whole, or nothing changed. Each who writes
    has one of its own: of two at once the later stays."""
    temporary = path.with_name(f"{path.name}.{os.urandom(4).hex()}{UNFINISHED}")
    try:
        yield temporary
        if durable:
            flush_file(temporary)
        temporary.replace(path)
        if durable:
            flush_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def linked(source: Path, target: Path) -> None:
    """The same file under a second name; a copy where the file system has no links."""
    try:
        os.link(source, target)
    except FileExistsError:
        return
    except OSError:
        shutil.copyfile(source, target)


def write_json(path: Path, data: Any) -> None:
    with placed(path) as temporary:
        temporary.write_text(json.dumps(data, sort_keys=True), encoding="utf-8")


def append_line(path: Path, data: Any) -> None:
    """Add one line of JSON to a log, durable."""
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(data, sort_keys=True) + "\n")
        file.flush()
        os.fsync(file.fileno())


def read_json(path: Path) -> Any:
    """The contents, or StoreError naming the file."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StoreError(
            f"{path} cannot be read ({error}); restore it from a backup",
            f"无法读取 {path}（{error}）；请从备份恢复",
            field="store",
        ) from error
