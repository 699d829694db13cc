"""The list of days that were deleted from a store, which a restored backup does not take back.

It lies beside the store's folder (`visits.deletions` beside `visits`), so that it stays when the folder is
put back from a backup. A line is added, durable, before anything is deleted; no line is ever changed: each
holds the SHA-256 of itself and the one before. A store that holds days it lists (by the id in `store.json`)
answers as if they were not there, and the next writer deletes them again.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from bihuan.epi.visits.layout import StoreError, flush_folder, read_json

ENDING = ".deletions"
#: How `by` begins where days were deleted from a store alone, and what a database tells of them was kept.
STORE_ALONE = "bihuan visits forget"


@dataclass(frozen=True, slots=True)
class Deletion:
    """All days before a date (ISO), of the store with this id; when (UTC, ISO; "" unknown) and by whom."""

    store: str
    before: str
    at: str = ""
    by: str = ""


def path_of(folder: Path) -> Path:
    return folder.with_name(folder.name + ENDING)


def read(folder: Path) -> list[Deletion]:
    """What was deleted of the store at `folder`, and of those that stood there before; oldest first. A line
    that a crash cut off does not count. Raises StoreError when a line was changed or taken out."""
    return [told for told, _chain in _lines(path_of(folder))[0]]


def add(folder: Path, deletions: Iterable[Deletion]) -> None:
    """Append those that are not listed yet; durable when this returns."""
    path = path_of(folder)
    held, size = _lines(path)
    chain = held[-1][1] if held else ""
    known = {told for told, _chain in held}
    fresh = [one for one in dict.fromkeys(deletions) if one not in known]
    if not fresh:
        return
    new = not path.exists()
    with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+b") as file:
        file.seek(size)  # whatever a crash left half-written behind it is overwritten
        file.truncate()
        for one in fresh:
            chain = _chained(chain, one)
            file.write(json.dumps(asdict(one) | {"chain": chain}, sort_keys=True).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
    if new:
        flush_folder(path.parent)


def extend(folder: Path, newer: Path) -> list[Deletion]:
    """Append what a later copy of the list holds beyond the one beside `folder`; durable when this returns.

    `newer` must begin with every line that stands here, and name the store that stands here, if any. Returns
    what was added. Raises StoreError when it does not, when a line of it was changed or taken out, or when it
    is not there.
    """
    if not newer.is_file():
        raise StoreError(f"{newer} is not there", f"{newer} 不存在", field="file")
    here, there = _lines(path_of(folder))[0], _lines(newer)[0]
    if len(there) < len(here) and there == here[: len(there)]:
        raise StoreError(
            f"{newer} is older than the list here ({len(there)} lines, here {len(here)}); nothing was taken"
            " from it",
            f"{newer} 比此处的清单旧（{len(there)} 行，此处 {len(here)} 行）；未采用",
            field="file",
        )
    if there[: len(here)] != here:
        raise StoreError(
            f"{newer} does not go on from the list here ({path_of(folder)}): it is of another installation,"
            " or days were deleted here since; nothing was taken from it",
            f"{newer} 不是此处清单（{path_of(folder)}）的延续：它属于另一处部署，或此处其后另有删除；未采用",
            field="file",
        )
    about = folder / "store.json"
    number = read_json(about).get("id") if about.exists() else None
    if number and there and all(told.store != number for told, _chain in there):
        raise StoreError(
            f"{newer} does not name the store at {folder}; nothing was taken from it",
            f"{newer} 所列并非 {folder} 处的库；未采用",
            field="file",
        )
    added = [told for told, _chain in there[len(here) :]]
    add(folder, added)
    return added


def first_kept(folder: Path) -> int:
    """The first day (days since 1970) that was not deleted of the store at `folder`; 0 where none was."""
    if not path_of(folder).exists():
        return 0
    number = read_json(folder / "store.json").get("id")
    days = [one.before for one in read(folder) if number and one.store == number]
    return int(np.datetime64(max(days), "D").astype(np.int64)) if days else 0


def _lines(path: Path) -> tuple[list[tuple[Deletion, str]], int]:
    """Lines with their sums, and the bytes they take."""
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return [], 0
    whole = raw[: raw.rfind(b"\n") + 1]
    found, chain = [], ""
    for number, line in enumerate(whole.splitlines(), 1):
        try:
            about = json.loads(line)
            said = about.pop("chain")
            told = Deletion(**about)
            np.datetime64(told.before, "D")
            chain = _chained(chain, told)
        except (ValueError, TypeError, KeyError, AttributeError):
            said = None
        if said != chain:
            raise StoreError(
                f"line {number} of {path}, the list of deleted days, was changed; restore it from a backup",
                f"已删除日期清单 {path} 第 {number} 行被改动；请从备份恢复",
                field="store",
            )
        found.append((told, chain))
    return found, len(whole)


def _chained(before: str, told: Deletion) -> str:
    return hashlib.sha256((before + json.dumps(asdict(told), sort_keys=True)).encode()).hexdigest()
