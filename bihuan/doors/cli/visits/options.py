"""What the commands of `bihuan visits` ask alike: the store, and under which key people become numbers."""

from __future__ import annotations

from datetime import UTC
from pathlib import Path
from typing import Annotated

import typer
from django.conf import settings
from django.utils import timezone

from bihuan.epi.errors import InputError
from bihuan.epi.visits import VisitStore

KEY_FILE = "visits.key"

Store = Annotated[
    Path | None, typer.Option("--store", help="Folder of the store. Default: visits in the data folder.")
]


def store_folder(given: Path | None) -> Path:
    """The folder of the store: as asked, else `visits` in the data folder."""
    return given if given is not None else Path(settings.BIHUAN_HOME) / "visits"


def key_path() -> Path:
    """Where the secret key lies under which people become numbers: never in the folder of a store."""
    return Path(settings.BIHUAN_HOME) / "secrets" / KEY_FILE


def today(store: VisitStore) -> int:
    """The day of the store's clock, counted from 1970."""
    return int((timezone.now().astimezone(UTC).timestamp() / 60 + store.offset) // 1440)


def mapping_of(given: list[str] | None) -> dict[str, str]:
    """`COLUMN=NAME` of --map: column to what it is."""
    found = {}
    for text in given or ():
        column, sign, role = text.rpartition("=")
        if not sign:
            raise InputError(f"“{text}” is not COLUMN=NAME", f"“{text}”不是 列=含义 的形式", field="map")
        found[column.strip()] = role.strip()
    return found
