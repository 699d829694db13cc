"""The second fence: row-level security for the role that serves the doors.

The door's role sees a row only if `territory_code` lies in [bihuan.lo, bihuan.hi). A setting that was never
made is NULL, one of an ended transaction is the empty text; both make the comparison with `hi` fail, so a
forgotten scope shows nothing. The owner of the tables (worker, command line, migrations) is not restricted.
"""

from __future__ import annotations

from django.apps import AppConfig, apps
from django.db import connections
from django.db.migrations.operations import RunSQL
from django.db.models import Model

DOOR_ROLE = "bihuan_door"

_IN_SCOPE = (
    "{column} >= current_setting('bihuan.lo', true) COLLATE \"C\""
    " AND {column} < current_setting('bihuan.hi', true) COLLATE \"C\""
)


def enable_rls(table: str, column: str = "territory_code") -> RunSQL:
    """Return the migration operation that fences `table` by `column`.

    Every migration that creates a table with a territory (also the history table of a tracked model) calls it
    in the same migration. On a partitioned table call it on the parent: partitions are not granted to the
    door's role, so they can be reached only through it.
    """
    condition = _IN_SCOPE.format(column=f'"{column}"')
    return RunSQL(
        sql=[
            f'ALTER TABLE "{table}" ENABLE ROW LEVEL SECURITY',
            f'CREATE POLICY scope ON "{table}" TO {DOOR_ROLE} USING ({condition})',
        ],
        reverse_sql=[
            f'DROP POLICY scope ON "{table}"',
            f'ALTER TABLE "{table}" DISABLE ROW LEVEL SECURITY',
        ],
    )


CREATE_DOOR_ROLE = f"""
DO $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = '{DOOR_ROLE}') THEN
        BEGIN
            CREATE ROLE {DOOR_ROLE} NOLOGIN NOSUPERUSER NOBYPASSRLS;
        EXCEPTION
            WHEN duplicate_object OR unique_violation THEN NULL;
            WHEN insufficient_privilege THEN
                RAISE EXCEPTION 'The database user "%" may not create the role "{DOOR_ROLE}" that the web '
                    'server works as.', current_user
                    USING HINT = 'As a superuser run: CREATE ROLE {DOOR_ROLE} NOLOGIN; GRANT {DOOR_ROLE} TO '
                        || quote_ident(current_user) || '; then migrate again.';
        END;
    END IF;
    IF NOT pg_has_role(current_user, '{DOOR_ROLE}', 'MEMBER') THEN
        BEGIN
            EXECUTE format('GRANT {DOOR_ROLE} TO %I', current_user);
        EXCEPTION WHEN insufficient_privilege THEN
            RAISE EXCEPTION 'The database user "%" is not a member of the role "{DOOR_ROLE}".', current_user
                USING HINT = 'As a superuser run: GRANT {DOOR_ROLE} TO ' || quote_ident(current_user)
                    || '; then migrate again.';
        END;
    END IF;
END $$;
"""


def grant_to_door(app_config: AppConfig, *, using: str = "default", **_: object) -> None:
    """Give the door's role what it needs, after every migrate: rows of ordinary tables, no more than reading
    and adding where a model says `append_only = True` or is a history table, and nothing at all where it says
    `hidden_from_door = True`."""
    if connections[using].vendor != "postgresql":
        return
    frozen = sorted(model._meta.db_table for model in apps.get_models() if _is_append_only(model))
    hidden = {m._meta.db_table for m in apps.get_models() if getattr(m, "hidden_from_door", False)}
    with connections[using].cursor() as cursor:
        cursor.execute(f"GRANT USAGE ON SCHEMA public TO {DOOR_ROLE}")
        for table in _tables(cursor):
            cursor.execute(f'REVOKE ALL ON "{table}" FROM {DOOR_ROLE}')
            if table in hidden:
                continue
            rights = "SELECT, INSERT" if table in frozen else "SELECT, INSERT, UPDATE, DELETE"
            if table == "django_migrations":
                rights = "SELECT"
            cursor.execute(f'GRANT {rights} ON "{table}" TO {DOOR_ROLE}')
        cursor.execute(f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {DOOR_ROLE}")


def _is_append_only(model: type[Model]) -> bool:
    return bool(getattr(model, "append_only", False) or getattr(model, "pgh_tracked_model", None))


def _tables(cursor) -> list[str]:  # type: ignore[no-untyped-def]
    """Tables of our schema except partitions (which carry no policy of their own) and views (which would
    read as their owner, unless declared security_invoker)."""
    cursor.execute(
        """
        SELECT relname FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND NOT relispartition
          AND (relkind IN ('r', 'p') OR relkind = 'v' AND 'security_invoker=true' = ANY (reloptions))
        ORDER BY relname
        """
    )
    return [row[0] for row in cursor.fetchall()]
