"""The command `bihuan`: lays the ground (data folder, database, schema), then lets the doors' commands run.

`DATABASE_URL` given: that database, as it is. Otherwise the embedded PostgreSQL of the data folder, started
for as long as somebody needs it, and brought to this version's schema by itself.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bihuan.config import home, messages
from bihuan.config.postgres import Cluster, PostgresError
from bihuan.doors.cli import main as doors

PACKAGE = Path(__file__).resolve().parent.parent
CANNOT_SERVE_EXIT_CODE = 7

_depth = 0


def main() -> int:
    """Entry point of the program `bihuan` and of `python -m bihuan`. Returns the exit code."""
    from bihuan.config import commands

    try:
        settle_environment(sys.argv[1:])
        messages.settle()
        doors.set_up_django()
        doors.around = on_the_database
        commands.register(doors.app)
        return doors.run_in_language(os.environ)
    except (PostgresError, home.HomeError) as error:
        print(f"✗ {error}", file=sys.stderr)
        return CANNOT_SERVE_EXIT_CODE
    except KeyboardInterrupt:
        return 130


def settle_environment(words: Sequence[str]) -> None:
    """Say outright, for this process and its children, what was a default until now."""
    os.environ["BIHUAN_HOME"] = str(home.home())
    if words[:1] == ["demo"] and not home.is_settled():
        os.environ["BIHUAN_MODE"] = "demo"
    os.environ["BIHUAN_MODE"] = home.mode()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bihuan.config.settings")


def is_outside() -> bool:
    """Whether the database is one that the operator runs."""
    return bool(os.environ.get("DATABASE_URL")) and "BIHUAN_EMBEDDED" not in os.environ


@contextmanager
def on_the_database() -> Iterator[None]:
    """What every command that needs the database runs in: it answers, is migrated, and the system acts."""
    with database_up():
        if not is_outside():
            migrate_if_older()
        with doors.as_the_system():
            yield


@contextmanager
def database_up() -> Iterator[None]:
    """The database answers for as long as this lasts. Reentrant."""
    global _depth
    if is_outside() or _depth:
        yield
        return
    cluster = Cluster(home.home())
    cluster.attach()
    _depth += 1
    try:
        use_embedded(cluster)
        yield
    finally:
        _depth -= 1
        close_connections()
        cluster.detach()


def use_embedded(cluster: Cluster) -> None:
    """Point Django and all children at the embedded database."""
    from django.conf import settings

    from bihuan.config.settings import database_from

    os.environ |= {
        "DATABASE_URL": cluster.url(),
        "BIHUAN_EMBEDDED": "1",
        "BIHUAN_POSTGRES_PROGRAMS": str(cluster.programs),
    }
    settings.POSTGRES_PROGRAMS = str(cluster.programs)
    settings.DATABASES["default"].update(database_from(cluster.url(), role=settings.DATABASE_ROLE))
    close_connections()


def close_connections() -> None:
    from django.db import connections

    connections.close_all()


def migrate_if_older() -> None:
    """Bring the embedded database to this version's schema and ground data, unless it is there already."""
    note = home.home() / "schema"
    if note.exists() and note.read_text() == schema_stamp():
        return
    migrate()


def migrate(*, with_territories: bool = True) -> None:
    """Apply migrations and lay the ground: roles, the built-in territory tree if there is none, the
    administrator's post that duties without any other owner fall to."""
    from django.core.management import call_command

    from bihuan.registry.actions import roles, staffing, territory
    from bihuan.registry.actor import Actor

    call_command("migrate", verbosity=0, interactive=False)
    close_connections()  # a connection made before does not know the new types
    actor = Actor.system("migrate", door="cli")
    with doors.as_the_system():
        roles.sync_roles(actor=actor)
        if with_territories and not ask("SELECT EXISTS (SELECT FROM registry_territory)"):
            territory.load_builtin(actor=actor)
        staffing.ensure_administration(actor=actor)
    if not is_outside():
        (home.home() / "schema").write_text(schema_stamp())


def ask(statement: str) -> object:
    """Run one statement; the first value it gives, or None."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(statement)
        row = cursor.fetchone() if cursor.description else None
    return row[0] if row else None


def database_mark() -> object:
    return ask(
        "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = current_database()"
    )


def mark_database(text: str) -> None:
    """Write on the database itself what it is for."""
    from django.db import connection
    from psycopg import sql

    name = sql.Identifier(str(connection.settings_dict["NAME"]))
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL("COMMENT ON DATABASE {} IS {}").format(name, sql.Literal(text)))


def schema_stamp() -> str:
    """Changes whenever migrations, or the ground data that come with them, do."""
    from django.conf import settings

    digest = hashlib.sha256()
    files = [
        *PACKAGE.rglob("migrations/*.py"),
        *PACKAGE.glob("registry/data/*"),
        *PACKAGE.glob("registry/rls.py"),
        *(folder / "roles.yaml" for folder in settings.BIHUAN_PACKS if (folder / "roles.yaml").exists()),
    ]
    for path in sorted(files):
        digest.update(str(path).encode() + path.read_bytes())
    return digest.hexdigest()


if __name__ == "__main__":
    sys.exit(main())
