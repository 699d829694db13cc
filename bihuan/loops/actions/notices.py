"""What posts are told of their duties: gathered by the outbox into one digest a post, never a message a
duty."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from bihuan.loops import store
from bihuan.registry import clock, scope
from bihuan.registry.outbox import NewNotice, announce

TODAY = "duties.today"
ESCALATED = "duties.escalated"


def today_in_words(payload: Mapping[str, Any]) -> str:
    """What a post owes today, as its digest says it outside of the house."""
    return _("Owed today: %(open)d, of them late: %(late)d.") % {
        "open": payload.get("open", 0),
        "late": payload.get("late", 0),
    }


def escalated_in_words(payload: Mapping[str, Any]) -> str:
    """How many late duties climbed to a post."""
    n = int(payload.get("n", 0))
    return ngettext("%(n)d late duty has climbed to you.", "%(n)d late duties have climbed to you.", n) % {
        "n": n
    }


def tell_escalated(rows: Sequence[tuple[Any, ...]], now: datetime) -> int:
    """Tell each post how many duties newly climbed to it. Called in the transaction that notes the rungs."""
    by_post: dict[int, list[tuple[Any, ...]]] = {}
    for row in rows:
        by_post.setdefault(row[4], []).append(row)
    return announce(
        [
            NewNotice(
                post,
                ESCALATED,
                f"escalated/D-{found[0][0]}/{found[0][2]}",
                {"n": len(found), "first": f"D-{found[0][0]}"},
            )
            for post, found in by_post.items()
        ],
        now=now,
    )


def tell_posts(now: datetime) -> int:
    """Once a local day: tell each post that owes something what is due that day and what is late."""
    today = clock.local_day(now)
    key = f"today/{today.isoformat()}"
    if store.fetch("SELECT 1 FROM registry_notice WHERE kind = %s AND key = %s LIMIT 1", [TODAY, key]):
        return 0
    end = clock.start_of_day(today + timedelta(days=1))
    with transaction.atomic(), scope.system():
        rows = store.fetch(
            "SELECT owner_post_id, count(*), count(*) FILTER (WHERE due_at >= %s), count(*) FILTER (WHERE"
            " due_at < %s)"
            " FROM loops_duty WHERE state = 0 AND due_at <= %s GROUP BY 1",
            [now, now, end],
        )
        return announce(
            [
                NewNotice(post, TODAY, key, {"open": total, "due_today": due, "late": late})
                for post, total, due, late in rows
            ],
            now=now,
        )
