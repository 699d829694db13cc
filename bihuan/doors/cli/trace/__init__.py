"""`bihuan trace`: who was where cases were, who was at a place, where cases were together,
what people recalled of it.

A file for contacts, one for places, one for diaries; `options` holds what they ask alike.
"""

from __future__ import annotations

import typer

from bihuan.doors.cli.trace import contacts, places, recalled

app = typer.Typer(
    invoke_without_command=True,
    help="Tracing: who was present where cases were, from the visit store. Names are numbers of the store.",
)
for _module in (contacts, places, recalled):
    _module.register(app)
