"""Visits as systems send them: checked, pseudonymous at once, durable before the answer, each once.

Identities are turned into keyed numbers where they lie in the memory of the call; none is written to a disk,
a log or an error. Small batches of many senders are made durable in a spool and merged (`epi.visits.spool`).
"""

from __future__ import annotations

import csv
import fcntl
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np
from django.db.models import Q
from django.utils import translation
from django.utils.translation import gettext as _

from bihuan.cases.actions.common import moment_now
from bihuan.epi.errors import EpiError
from bihuan.epi.visits import VisitStore, secret
from bihuan.epi.visits.layout import StoreFull
from bihuan.epi.visits.receiving import Received, at_known_places, receive
from bihuan.epi.visits.spool import Merged, Settled, Spool
from bihuan.registry import access
from bihuan.tracing import visits
from bihuan.tracing.errors import VisitsFull, VisitsInvalid
from bihuan.tracing.models import Place
from bihuan.tracing.queries.places import closed_since

RIGHT: Final = "visits.record"
#: Rows in one call; longer files are read by `bihuan visits ingest`.
MOST: Final = 100_000
#: How long a call waits for its rows to be merged, seconds; kept they are before.
PATIENCE: Final = 3.0
SHOWN: Final = 20
COLUMNS: Final = ("event", "person", "place", "start", "end", "temperature", "how")
UNKNOWN_PLACE: Final = "unknown-place"
PLACE_CLOSED: Final = "place-closed"
_HELD: Final = ("event", "person_key", "place", "start", "end", "temperature", "how")
#: A table without a header has people where names of columns should be: errors do not repeat them.
_NUMBERS: Final = re.compile(r"\d{5,}[\dXx]?")


@dataclass(frozen=True, slots=True)
class Reason:
    """Why rows were not taken: a word, the sentence, how many, the first rows by number, what the cell said
    where it holds nobody's identity."""

    reason: str
    message: str
    n: int
    rows: tuple[int, ...] = ()
    said: str = ""


@dataclass(frozen=True, slots=True)
class VisitsRecorded:
    """rows = added + duplicate + rejected + waiting. `waiting` rows are kept, and merged as soon as another
    process has finished writing (0 in all but that case)."""

    rows: int
    added: int
    duplicate: int
    rejected: int
    waiting: int
    reasons: list[Reason] = field(default_factory=list)
    unread_temperatures: int = 0
    bounded: int = 0


def record_rows(rows: Sequence[Mapping[str, str]], *, now: datetime | None = None) -> VisitsRecorded:
    """Visits as rows of texts by the names of COLUMNS; row numbers of the answer begin with 1."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: " ".join(str(row.get(name, "")).splitlines()) for name in COLUMNS})
    return _recorded(*_received(text.getvalue().encode(), None, now), first_row=2)


def record_table(
    data: bytes, *, columns: Mapping[str, str] | None = None, name: str = "", now: datetime | None = None
) -> VisitsRecorded:
    """Visits as a CSV (also gzipped) or Parquet table. `columns`: column to role, where names do not tell;
    `name` of the file, as whoever sent it knows it."""
    return _recorded(*_received(data, columns, now, name=name), first_row=1)


def merge_waiting(store: VisitStore | None = None) -> Merged | None:
    """Merge what waits in the spool; None when another process writes. Worker, command line."""
    return spool().merge(store) if (visits.folder() / "store.json").exists() else None


def spool() -> Spool:
    """The spool of this installation's store, one a process."""
    return _spool(str(visits.folder()))


@lru_cache(maxsize=4)
def _spool(folder: str) -> Spool:
    return Spool(Path(folder))


def ready_store() -> tuple[VisitStore, bytes]:
    """The store and its key, made if there is none yet. Raises VisitsInvalid if one lacks the other."""
    with told():
        store = visits.open_store() or _made()
        has_key = visits.key_path().exists()
        key = visits.key(make=not has_key and store.stats().segments == 0)
        store.check_key(secret.fingerprint(key))
    return store, key


def _made() -> VisitStore:
    """A new store; of two processes that begin one at once, the second finds that of the first."""
    folder = visits.folder()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / "visits.making").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return VisitStore.create(folder)


@contextmanager
def told() -> Iterator[None]:
    """What the store complains of, as an error of the house in the reader's language."""
    try:
        yield
    except StoreFull:
        raise VisitsFull from None
    except EpiError as error:
        text = _NUMBERS.sub("***", error.text(translation.get_language() or ""))
        wrong = {"field": error.field, "rule": "visits", "message": text}
        raise VisitsInvalid(text, errors=[wrong]) from None


def places_known(ids: Sequence[str]) -> tuple[dict[str, str], list[Place]]:
    """Of ids as gates write them (theirs, or ours beginning with L-): those of places at which the post acted
    in may record, to the id in the store; and which of these places are closed."""
    found: dict[str, str] = {}
    closed: list[Place] = []
    for place in Place.objects.filter(Q(store_id__in=ids) | Q(public_id__in=ids)):
        if access.may(None, RIGHT, territory_code=place.territory_code):
            found |= {place.public_id: place.store_id, place.store_id: place.store_id}
            closed += [place] if place.closed_at else []
    return {one: found[one] for one in ids if one in found}, closed


def _before_closing(done: Received, closed: Sequence[Place], store: VisitStore) -> list[Reason]:
    """Leave out rows that begin after the minute in which their place was closed; why, by place."""
    names = [] if done.batch.place_names is None else [str(name) for name in done.batch.place_names]
    good = np.ones(done.batch.size, bool)
    reasons: list[Reason] = []
    for place in closed:
        if place.closed_at is None or place.store_id not in names:
            continue
        here = done.batch.place == names.index(place.store_id)
        late = here & (done.batch.start > visits.minute_of(store, place.closed_at))
        if late.any():
            text = closed_since(place.closed_at, place.territory_code)
            reasons.append(Reason(PLACE_CLOSED, text, int(late.sum()), (), place.store_id))
            good &= ~late
    if reasons:
        done.batch = replace(done.batch, **{name: getattr(done.batch, name)[good] for name in _HELD})
    return reasons


def _received(
    data: bytes, columns: Mapping[str, str] | None, now: datetime | None, *, name: str = ""
) -> tuple[Received, list[Reason]]:
    access.require(RIGHT)
    store, key = ready_store()
    with told():
        done = receive(
            data,
            store=store,
            key=key,
            now=moment_now(now),
            most=MOST,
            given=columns,
            name=name or str(_("the rows sent")),
        )
    names = done.batch.place_names
    assert names is not None
    known, closed = places_known([str(name) for name in names])
    done = at_known_places(done, known)
    return done, _before_closing(done, closed, store)


def _recorded(done: Received, closed: list[Reason], *, first_row: int) -> VisitsRecorded:
    settled: Settled | None = Settled(0, 0, 0)
    if done.batch.size:
        with told():
            waiting = spool()
            settled = waiting.settle(waiting.put(done.batch), seconds=PATIENCE)
    kept = settled or Settled(0, 0, 0)
    reasons = _reasons(done, first_row, kept.refused) + closed
    return VisitsRecorded(
        rows=done.rows,
        added=kept.added,
        duplicate=kept.duplicate,
        rejected=sum(reason.n for reason in reasons),
        waiting=done.batch.size if settled is None else 0,
        reasons=reasons,
        unread_temperatures=done.unread_temperatures,
        bounded=done.bounded,
    )


def _reasons(done: Received, first_row: int, refused: int) -> list[Reason]:
    language = translation.get_language() or ""
    found: dict[str, list[tuple[int, str, str]]] = {}
    for row in done.rejected:
        number = row.row - first_row + 1
        found.setdefault(row.reason, []).append((number, row.text(language), row.said))
    reasons = [
        Reason(word, rows[0][1], len(rows), tuple(r[0] for r in rows[:SHOWN]), rows[0][2])
        for word, rows in found.items()
    ]
    text = _("no place of this id where this post may record; register it first")
    reasons += [Reason(UNKNOWN_PLACE, text, n, (), place[:120]) for place, n in done.strange.items()]
    if refused:
        text = _("this day was deleted from the store and does not come back")
        reasons.append(Reason("forgotten", text, refused))
    return reasons
