"""Commands about the installation itself; the rooms' commands stand in `bihuan/doors/cli`."""

from __future__ import annotations

import typer

from bihuan.config.commands import backup, demo, system


def register(app: typer.Typer) -> None:
    """Add them to the command line, beside the rooms."""
    for function in (
        demo.demo,
        demo.stop,
        system.serve,
        system.worker,
        system.migrate,
        system.status,
        system.messages,
        backup.backup,
        backup.restore,
    ):
        app.command()(function)
