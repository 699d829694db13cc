"""The visit store of this installation, as the room opens it: one folder, one key, in the data folder.

Nobody asks the store about a person except through `actions.looks`, which wants an open investigation.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from pathlib import Path

from django.conf import settings

from bihuan.epi.visits import VisitStore, secret
from bihuan.epi.visits.batch import DAY_MINUTES, LONGEST_MINUTES
from bihuan.epi.visits.numbers import keyed_number

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SIGN = 1 << 63


def folder() -> Path:
    """Folder of the store: `visits` in the data folder."""
    return Path(settings.BIHUAN_HOME) / "visits"


def key_path() -> Path:
    """Where the key lies under which people become numbers: never in the folder of the store."""
    return Path(settings.BIHUAN_HOME) / "secrets" / "visits.key"


def key(*, make: bool = False) -> bytes:
    """The key. Raises StoreError if there is none and `make` is not asked for."""
    return secret.load_key(key_path(), make=make)


def open_store() -> VisitStore | None:
    """The store, or None if nothing was ever written to it. Cheap to ask again: kept open for the process."""
    path = folder()
    if not (path / "store.json").exists():
        return None
    return _opened(str(path), (path / "store.json").stat().st_ino)


@lru_cache(maxsize=2)
def _opened(path: str, _inode: int) -> VisitStore:
    return VisitStore(Path(path))


def signed(number: int) -> int:
    """A keyed number as the database keeps it: the same 64 bits, with a sign."""
    return number - 2 * _SIGN if number >= _SIGN else number


def unsigned(number: int) -> int:
    return number + 2 * _SIGN if number < 0 else number


def number_of(identity: str, *, with_key: bytes) -> int:
    """The keyed number of an identity number or phone, signed."""
    return signed(keyed_number(with_key, identity))


def minute_of(store: VisitStore, at: datetime) -> int:
    """The minute of the store's clock in which `at` (aware) lies."""
    return int((at - _EPOCH) // timedelta(minutes=1)) + offset_minutes(store)


def moment_of(store: VisitStore, minute: int) -> datetime:
    """When a minute of the store's clock was, in UTC."""
    return _EPOCH + timedelta(minutes=minute - offset_minutes(store))


def holds_any(store: VisitStore, since: datetime, until: datetime) -> bool:
    """Whether the store holds any day of [since, until]: days that were deleted, or never came in, hold no
    answer."""
    first = (minute_of(store, since) - LONGEST_MINUTES) // DAY_MINUTES
    return bool(store.segments(first, minute_of(store, until) // DAY_MINUTES))


def held_from(store: VisitStore, since: datetime, until: datetime) -> date | None:
    """The first day (of the store's clock) of which anything is held, where [since, until] begins before it;
    else None."""
    held = store.segments(until=minute_of(store, until) // DAY_MINUTES)
    if not held or held[0].day <= minute_of(store, since) // DAY_MINUTES:
        return None
    return date(1970, 1, 1) + timedelta(days=held[0].day)


def offset_minutes(store: VisitStore) -> int:
    return store.offset
