"""`bihuan visits`: the store of who was where. Files in; what is held; what is deleted. Needs no database.

`taking`, `holding` and `deleting` have the commands; `told` says what became of rows.
"""

from __future__ import annotations

import typer

from bihuan.doors.cli.visits import deleting, holding, taking

app = typer.Typer(
    no_args_is_help=True, help="Visits: entry records in, what the store holds, deletion when time is up."
)
for _module in (taking, holding, deleting):
    _module.register(app)
