"""`bihuan trace`: who was where cases were, who was at a place, where cases were together.

A file for contacts and one for places; `options` holds what they ask alike.
"""

from __future__ import annotations

import typer

from bihuan.doors.cli.trace import contacts, places

app = typer.Typer(
    invoke_without_command=True,
    help="Tracing: who was present where cases were, from the visit store. Names are numbers of the store.",
)
for _module in (contacts, places):
    _module.register(app)
