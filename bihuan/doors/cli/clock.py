"""`bihuan clock`: what time it is for the installation; moved in demos and drills only."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated

import typer
from django.utils.translation import gettext as _

from bihuan.doors.cli.moments import the_moment
from bihuan.doors.cli.output import Json, show
from bihuan.registry import clock
from bihuan.registry.errors import Invalid

app = typer.Typer(no_args_is_help=True, help="Clock: show it; set, advance or reset it in demos and drills.")

_UNITS = {"d": "days", "h": "hours", "m": "minutes", "s": "seconds"}
Zone = Annotated[str, typer.Option(help="Time zone of times without one; default: the installation's.")]


@app.command("show")
def show_clock(json: Json = False, tz: Zone = "") -> None:
    """What the clock shows, and how far from the machine's it stands."""
    _print(json, tz)


@app.command("set")
def set_clock(
    to: Annotated[str, typer.Argument(help="2020-02-05, 2020-02-05T08:00 or with an offset (+08:00).")],
    json: Json = False,
    tz: Zone = "",
) -> None:
    """Let the clock show this moment now, and run on from there."""
    clock.set_to(the_moment(to, tz=tz))
    _print(json, tz)


@app.command()
def advance(
    by: Annotated[str, typer.Argument(help="How far: 1d, 6h, 30m, 1d12h; put -- before a step back (-1h).")],
    json: Json = False,
    tz: Zone = "",
) -> None:
    """Move the clock on (or back)."""
    clock.advance(_span(by))
    _print(json, tz)


@app.command()
def reset(json: Json = False, tz: Zone = "") -> None:
    """Let the clock show the machine's time again."""
    clock.reset()
    _print(json, tz)


def _print(json: bool, tz: str) -> None:
    reading = clock.read()
    show(
        {
            "now": reading.now.astimezone(clock.zone(tz or None)),
            "offset_seconds": round(reading.offset.total_seconds()),
            "mode": reading.mode,
            "movable": reading.movable,
        },
        json=json,
    )


def _span(text: str) -> timedelta:
    found = re.fullmatch(r"([+-]?)((?:\d+[dhms])+)", text.strip().lower())
    if not found:
        raise Invalid(
            _("“%(text)s” is no span of time.") % {"text": text},
            code="bad-span",
            hint=_("Write days, hours and minutes, such as 1d12h or 30m."),
        )
    parts = re.findall(r"(\d+)([dhms])", found[2])
    try:
        span = sum((timedelta(**{_UNITS[unit]: int(number)}) for number, unit in parts), timedelta())
    except OverflowError:
        raise Invalid(_("“%(text)s” is too far.") % {"text": text}, code="bad-span") from None
    return -span if found[1] == "-" else span
