"""Days that are deleted, and the list of them."""

from __future__ import annotations

import getpass
import os
from dataclasses import asdict
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from django.utils import timezone
from django.utils.translation import gettext as _

from bihuan.doors.cli.epi.options import DAY, on_file
from bihuan.doors.cli.epi.output import working
from bihuan.doors.cli.output import Json, show, table
from bihuan.doors.cli.visits.options import Store, store_folder, today
from bihuan.epi.errors import InputError
from bihuan.epi.visits import VisitStore, deletions, snapshot


def register(app: typer.Typer) -> None:
    app.command()(forget)
    app.command("deletions")(deletions_command)
    app.command()(expire)


@on_file
def forget(
    before: Annotated[datetime, typer.Option("--before", formats=DAY, help="The first day that stays.")],
    store: Store = None,
    json: Json = False,
) -> None:
    """Delete all days before a date, for good: visits of those days are not taken again."""
    opened = VisitStore(store_folder(store))
    day = (before.date() - date(1970, 1, 1)).days
    if day > today(opened):
        raise InputError(
            f"{before.date()} is in the future; the store would take no visits until then",
            f"{before.date()} 在将来；在此之前库将不收录任何记录",
            field="before",
        )
    with working(_("deleting")):
        done = opened.forget(day, by=f"{deletions.STORE_ALONE} ({_login()})", at=_utc())
    show(asdict(done) | {"record": str(opened.folder / "retention.log")}, json=json)


@on_file
def deletions_command(
    file: Annotated[Path | None, typer.Argument(metavar="FILE", help="A later copy of this list.")] = None,
    store: Store = None,
    json: Json = False,
) -> None:
    """Which days were deleted, when and by whom: the list beside the store. With FILE, a later copy of that
    list, delete here too what it adds; one that does not go on from the list here is refused."""
    folder = store_folder(store)
    if file is None:
        listed = [asdict(one) for one in deletions.read(folder)]
        path = str(deletions.path_of(folder))
        columns = ("before", "at", "by", "store")
        show(
            {"list": path, "deletions": listed},
            json=json,
            human=lambda console: table(console, listed, columns, title=path),
        )
        return
    with working(_("deleting")):
        added, done = snapshot.follow(folder, file)
    show({"list": str(deletions.path_of(folder)), "added": added} | asdict(done), json=json)


def expire(
    before: Annotated[
        datetime | None,
        typer.Option("--before", formats=DAY, help="The first day that stays; default: by the policy."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what the rule says.")] = False,
    json: Json = False,
) -> None:
    """Delete visits whose time is up (the worker does it every night), with an entry under the audit chain.

    Also what gates counted on those days and strangers they registered. `forget` does it to a store alone.
    """
    from bihuan.registry.actor import Actor
    from bihuan.tracing.actions import forget_visits

    rule = forget_visits.due()
    held = [{"needs": needs, "from": str(day)} for needs, day in rule.holding]
    said: dict[str, Any] = {
        "days": rule.days, "source": rule.source, "before": str(rule.before), "held_by": held
    }  # fmt: skip
    if not dry_run:
        actor = Actor.system("bihuan visits expire", door="cli")
        if before is not None:
            said |= asdict(forget_visits.forget(before.date(), actor=actor))
        else:
            done = forget_visits.forget_due(actor=actor)
            said |= asdict(done) if done else {"stays": 0}
    show(said, json=json)


def _login() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container may know no name for the number it runs under
        return str(os.getuid())


def _utc() -> str:
    return timezone.now().astimezone(UTC).isoformat(timespec="seconds")
