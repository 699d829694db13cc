"""Write everything into one file, and bring it back on this or another machine."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer
from django.utils.translation import gettext as _
from rich.console import Console

from bihuan.config import backups, command, home
from bihuan.doors.cli.main import needs_no_database
from bihuan.doors.cli.output import Json, show
from bihuan.registry.errors import NotFound

PASSPHRASE = "BIHUAN_BACKUP_PASSPHRASE"

File = Annotated[Path, typer.Argument(help="The backup file.", show_default=False)]


@needs_no_database
def backup(
    file: File,
    keys: Annotated[bool, typer.Option(help="Take the keys along.")] = True,
    visits: Annotated[bool, typer.Option(help="Take the visit store along.")] = True,
    json: Json = False,
) -> None:
    """Write database, keys and visits into one file. Keep one with visits no longer than visits are kept; for
    longer, --no-visits. BIHUAN_BACKUP_PASSPHRASE encrypts the keys in it."""
    file = file.expanduser().absolute()
    with command.on_the_database():
        manifest = backups.write(
            file,
            _place(),
            home=home.home(),
            mode=home.mode(),
            mark=str(command.database_mark() or ""),
            keys=keys,
            passphrase=os.environ.get(PASSPHRASE, ""),
            visits=visits,
        )
    told = {
        "file": str(file),
        "bytes": file.stat().st_size,
        "made_at": manifest.made_at,
        "keys": manifest.keys,
        "visits": manifest.visits,
    }
    show(told, json=json, human=lambda console: _tell(console, file, manifest))


@needs_no_database
def restore(
    file: File,
    replace: Annotated[bool, typer.Option("--replace", help="Lose the data that are here now.")] = False,
    json: Json = False,
) -> None:
    """Bring a backup back: all of it, or on any error nothing. On a fresh machine nothing else is needed."""
    file = file.expanduser().absolute()
    if not file.is_file():
        raise NotFound(_("There is no file %(file)s.") % {"file": file})
    with backups.opened(file) as (manifest, folder), command.database_up():
        backups.restore(
            manifest,
            folder,
            _place(),
            home=home.home(),
            passphrase=os.environ.get(PASSPHRASE, ""),
            replace=replace,
            is_empty=not command.ask("SELECT EXISTS (SELECT FROM pg_tables WHERE schemaname = 'public')"),
        )
        command.close_connections()
        if manifest.mark:
            command.mark_database(manifest.mark)
        if manifest.mode in ("demo", "drill", "production"):
            home.remember_mode(manifest.mode)
        command.migrate(with_territories=False)
        forgotten = _forget_what_is_over() if manifest.visits is not None else 0
    told = {
        "file": str(file),
        "made_at": manifest.made_at,
        "version": manifest.version,
        "keys": manifest.keys,
        "visits": manifest.visits,
        "visits_forgotten": forgotten,
    }
    restored = _("Restored what was on %(at)s.")
    show(
        told,
        json=json,
        human=lambda console: console.print("[green]✓[/]", restored % {"at": manifest.made_at}),
    )


def _forget_what_is_over() -> int:
    """Days that were deleted, or whose time was up, since the backup was made do not come back with it; how
    many stays the latter held."""
    from bihuan.registry.actor import Actor
    from bihuan.tracing.actions.forget_visits import follow_list, forget_due

    follow_list(actor=Actor.system("restore", door="cli"))
    done = forget_due(actor=Actor.system("restore", door="cli"))
    return done.stays if done else 0


def _place() -> backups.Place:
    from django.db import connection

    major = int(str(command.ask("SHOW server_version_num"))) // 10000
    return backups.Place.of(connection.settings_dict, major=major)


def _tell(console: Console, file: Path, manifest: backups.Manifest) -> None:
    console.print(f"[green]✓[/] {file} ({file.stat().st_size / 2**20:.1f} MB)")
    if manifest.keys == "plain":
        told = _(
            "The keys are in it unencrypted: whoever has this file can read identity numbers. "
            "Set %(name)s to encrypt them, or say --no-keys and keep the keys apart."
        )
        console.print(f"[yellow]![/] {told % {'name': PASSPHRASE}}")
    elif manifest.keys == "none":
        told = _(
            "The keys are not in it. Without them identity numbers cannot be read again, "
            "nor the audit chain verified: keep %(folder)s apart."
        )
        console.print(f"[yellow]![/] {told % {'folder': home.home() / 'secrets'}}")
