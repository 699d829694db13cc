"""A database of its own for a benchmark, beside the one the settings name; dropped at the end unless kept."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager


def set_up() -> None:
    """Django, in test mode: the clock may stand still."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bihuan.config.settings")
    os.environ.setdefault("BIHUAN_MODE", "test")
    import django

    django.setup()


@contextmanager
def database(name: str, *, keep: bool = False) -> Iterator[bool]:
    """Connect Django to the migrated database `name`; yields whether it was there before (keep=True)."""
    import psycopg
    from django.core.management import call_command
    from django.db import connection
    from psycopg import sql

    settings = connection.settings_dict
    outer = settings["NAME"]
    admin = {
        "host": settings["HOST"] or None,
        "port": settings["PORT"] or None,
        "user": settings["USER"] or None,
        "password": settings["PASSWORD"] or None,
        "dbname": "postgres",
        "autocommit": True,
    }
    with psycopg.connect(**admin) as server:
        found = server.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone() is not None
        if found and not keep:
            server.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
            found = False
        if not found:
            server.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    connection.close()
    settings["NAME"] = name
    call_command("migrate", verbosity=0, interactive=False)
    try:
        yield found
    finally:
        connection.close()
        settings["NAME"] = outer
        if not keep:
            with psycopg.connect(**admin) as server:
                server.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
