"""`bihuan epi`: early warning, Rt, nowcast, scan, delays and evaluation on files; needs no database.

One file a command; `options` holds what all of them take, `output` what all of them give.
"""

from __future__ import annotations

import typer

from bihuan.doors.cli.epi import delays, detect, evaluate, nowcast, rt, scan

app = typer.Typer(
    no_args_is_help=True,
    help="Early warning, Rt, nowcast, scan, delays and evaluation, on CSV, Parquet or JSON files.",
)
for _module in (detect, rt, nowcast, scan, delays, evaluate):
    _module.register(app)
