"""From the open investigation of one case to a confirmed list of contacts with duties at their streets.

Bar: five minutes for the investigator (issue 4); measured here is what the machine takes of it: one look at
the visit store, the proposals kept, one bulk confirmation with duties, and the proof that nobody is in limbo.

The store is made beside (`--store FOLDER` takes one that is there; it is linked, not changed). Its people are
made-up keyed numbers; those the case met are given to people registered for this, so that they can be
confirmed. The look itself, of up to 500 names, is the product's own.

    python3 bihuan.py bench contacts_done [--events 1000000] [--store FOLDER] [--names 400]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import loop_city, scratch

BAR_SECONDS = 300.0
CODE = "420303003001"
NOW = datetime(2020, 2, 14, 4, tzinfo=UTC)
#: Of nobody: one character twice, by turns.
NAMES = "甲乙丙丁戊己庚辛壬癸"


def main(words: Sequence[str] = ()) -> dict[str, Any]:
    """Run it; prints and returns the figures."""
    parser = argparse.ArgumentParser(prog="bench contacts_done")
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--days", type=int, default=14)
    parser.add_argument("--names", type=int, default=400)
    parser.add_argument("--store", default="")
    options = parser.parse_args(list(words))
    scratch.set_up()
    from django.conf import settings

    from bihuan.registry import scope

    with tempfile.TemporaryDirectory(prefix="bihuan-bench-") as home, scratch.database("bench_contacts_done"):
        settings.BIHUAN_HOME = Path(home)
        fill_store(Path(home) / "visits", options)
        with scope.system():
            return loop_city.shown({"bench": "contacts_done", **measure(options.names)})


def fill_store(folder: Path, options: argparse.Namespace) -> None:
    from benchmarks.visits_synthetic import Town, fill
    from bihuan.epi.visits import VisitStore

    if options.store:
        folder.symlink_to(Path(options.store).resolve())
        return
    people = max(1_000, options.events // (3 * options.days))
    store = VisitStore.create(folder)
    fill(store, Town(people=people, places=max(50, people // 24), days=options.days))


def measure(names: int) -> dict[str, Any]:
    """Seconds of each step, with how many names were met, confirmed, and owe what."""
    from bihuan.loops.models import Duty
    from bihuan.loops.queries import check
    from bihuan.registry import clock
    from bihuan.registry.actor import Actor
    from bihuan.tracing import visits
    from bihuan.tracing.actions.investigate import open_investigation
    from bihuan.tracing.actions.proposals import find_contacts
    from bihuan.tracing.actions.proposals_decide import confirm_proposals
    from bihuan.tracing.models import ContactProposal

    loop_city.build(1)
    store, actor = visits.open_store(), Actor.system("bench")
    assert store is not None
    with clock.frozen(NOW):
        case = case_who_met(names, [CODE], actor=actor)
        inquiry = open_investigation(case.public_id, purpose="bench", actor=actor)
        begun = time.perf_counter()
        found = find_contacts(inquiry.public_id, purpose="bench", actor=actor)
        looked = time.perf_counter()
        rows = ContactProposal.objects.filter(investigation=inquiry, person__isnull=False)
        ids = list(rows.order_by("-score").values_list("public_id", flat=True)[:names])
        done = confirm_proposals(ids, criterion="other", reason="bench", actor=actor)
        ended = time.perf_counter()
        owed = Duty.objects.filter(loop__subject_ref__in=done.contacts, state=0).count()
        holds = check().holds
    return {
        "machine": loop_city.machine(), "events": store.stats().stays, "met": found.total,
        "proposed": found.made, "confirmed": done.made, "duties": owed, "loops_hold": holds,
        "look_and_propose_seconds": round(looked - begun, 2), "confirm_seconds": round(ended - looked, 2),
        "bar_seconds": BAR_SECONDS,
    }  # fmt: skip


def case_who_met(names: int, codes: Sequence[str], *, actor: Any) -> Any:
    """A confirmed case of today who met so many registered people or more; these live by turns in `codes`."""
    from bihuan.cases.actions import CaseInput, report_case
    from bihuan.registry.actions.people import register_people
    from bihuan.registry.people import PersonInput
    from bihuan.tracing import visits
    from bihuan.tracing.models import Pseudonym

    numbers = _met_most(visits.open_store(), names)
    given = [
        PersonInput(territory_code=codes[n % len(codes)], name=NAMES[n % len(NAMES)] * 2, source="bench")
        for n in range(len(numbers))
    ]
    people = register_people(given, actor)
    Pseudonym.objects.bulk_create(
        Pseudonym(person=p, key=visits.signed(n), kind="id", of=f"bench {n}", recorded_at=NOW)
        for p, n in zip(people, numbers, strict=True)
    )
    return report_case(
        CaseInput(
            person=people[0].public_id, territory_code=codes[0], classification="confirmed",
            date_onset=date(2020, 2, 11), date_confirmation=NOW - timedelta(hours=2),
        ),
        actor=actor,
    )  # fmt: skip


def _met_most(store: Any, names: int) -> list[int]:
    """Keyed numbers: first somebody who met so many or more, then those she met, highest scores first."""
    from bihuan.epi.visits.risk import scored
    from bihuan.epi.visits.windows import Window

    last = (max(s.day for s in store.segments()) + 1) * 1440
    best: Any = None
    for person in np.random.default_rng(7).integers(0, store.people.count, 200).tolist():
        met = scored(store, [Window(person, last - 6 * 1440, last)]).met
        if best is None or met.size > best[1].size:
            best = (person, met)
        if met.size >= 2 * names:
            break
    keys = store.people.keys
    return [int(keys[best[0]]), *(int(keys[p]) for p in best[1].person[: max(4 * names, 2_000)])]
