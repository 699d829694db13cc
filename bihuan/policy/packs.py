"""Which pack is in force where and when: the library of `settings.BIHUAN_PACKS`, read once a process."""

from __future__ import annotations

import datetime as dt
from functools import lru_cache

from django.conf import settings

from bihuan.policy.rules.library import Library, ResolvedPolicy, first_day, load_all, read_all

__all__ = [
    "Library", "ResolvedPolicy", "by_id", "first_day", "forget", "in_force", "library", "load_all",
    "read_all", "replans",
]  # fmt: skip


@lru_cache(maxsize=8)
def _library(folders: tuple[str, ...]) -> Library:
    return load_all(folders)


def library() -> Library:
    """Return all packs of this installation. Raises PacksBroken, naming file and line, if any is wrong."""
    return _library(tuple(map(str, settings.BIHUAN_PACKS)))


def in_force(territory: str, on: dt.date | dt.datetime) -> ResolvedPolicy:
    """Return what holds in `territory` on a local day (or at an aware instant). Cached; costs
    microseconds."""
    return library().in_force(territory, on)


def replans(territory: str, after: dt.date | None, until: dt.datetime) -> list[ResolvedPolicy]:
    """Return what came into force after a local day, up to an aware instant, and asks for running loops to be
    planned again; oldest first."""
    held = library()
    today = held.local_day(territory, until)
    return held.replans(territory, after, today)


def by_id(policy_id: str) -> ResolvedPolicy:
    """Return the policy whose id a running loop or order stored."""
    return library().by_id(policy_id)


def forget() -> None:
    """Read the packs again at the next question (after files changed)."""
    _library.cache_clear()
