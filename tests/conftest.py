"""One migrated template database a run; every xdist worker gets a copy of it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

pytest_plugins = ["tests.cast"]

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"
TEMPLATE_LOCK = 5_044_201


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="also run the tests marked slow")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--slow"):
        return
    skip = pytest.mark.skip(reason="slow; run with --slow")
    for item in items:
        if "slow" in item.keywords:
            item.add_marker(skip)


@pytest.fixture(autouse=True)
def _house_language() -> Iterator[None]:
    """Every test begins in the language of the house, whatever a test before it switched to."""
    from django.conf import settings
    from django.utils import translation

    with translation.override(settings.LANGUAGE_CODE):
        yield


@pytest.fixture
def english(_house_language: None) -> Iterator[None]:
    """For tests that read messages in English."""
    from django.utils import translation

    with translation.override("en"):
        yield


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real input data beside the checkout; tests that need it skip without it."""
    if not SHARED.is_dir():
        pytest.skip("no ../shared beside the checkout: real input data are not here")
    return SHARED


def _schema_stamp() -> str:
    """Changes whenever what a migrated database holds may have changed."""
    digest = hashlib.sha256()
    for path in sorted((ROOT / "bihuan").rglob("*.py")):
        text = path.read_bytes()
        if path.parent.name == "migrations" or path.name == "rls.py" or b"post_migrate" in text:
            digest.update(str(path.relative_to(ROOT)).encode() + text)
    digest.update((ROOT / "requirements.lock").read_bytes())
    return digest.hexdigest()[:10]


@contextmanager
def _admin(settings: dict[str, Any]) -> Iterator[psycopg.Connection]:
    """A connection to the cluster's own database, holding the lock of template makers."""
    with psycopg.connect(
        host=settings["HOST"] or None,
        port=settings["PORT"] or None,
        user=settings["USER"] or None,
        password=settings["PASSWORD"] or None,
        dbname="postgres",
        autocommit=True,
    ) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", [TEMPLATE_LOCK])
        yield connection


def _exists(admin: psycopg.Connection, name: str) -> bool:
    return admin.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone() is not None


def _drop(admin: psycopg.Connection, name: str) -> None:
    admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def _create(admin: psycopg.Connection, name: str, template: str) -> None:
    admin.execute(
        sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template))
    )


def _make_template(admin: psycopg.Connection, base: str, stamp: str) -> str:
    """The migrated template of this stamp, made if it is not there; older ones go."""
    from django.core.management import call_command
    from django.db import connection

    name = f"{base}_tpl_{stamp}"
    if _exists(admin, name):
        return name
    rows = admin.execute("SELECT datname FROM pg_database WHERE starts_with(datname, %s)", [f"{base}_tpl_"])
    for (old,) in rows.fetchall():
        _drop(admin, old)
    making = f"{base}_making"
    _drop(admin, making)
    _create(admin, making, "template0")
    connection.close()
    connection.settings_dict["NAME"] = making
    call_command("migrate", verbosity=0, interactive=False)
    connection.close()
    admin.execute(
        sql.SQL("ALTER DATABASE {} RENAME TO {}").format(sql.Identifier(making), sql.Identifier(name))
    )
    return name


@pytest.fixture(scope="session")
def django_db_setup(
    request: pytest.FixtureRequest,
    django_test_environment: None,
    django_db_blocker: Any,
    django_db_keepdb: bool,
) -> Iterator[None]:
    """Replaces pytest-django's own: migrations run once, workers copy; `--reuse-db` keeps the copy."""
    from django.db import connection

    settings = connection.settings_dict
    base = settings["TEST"]["NAME"] or f"test_{settings['NAME']}"
    worker = getattr(request.config, "workerinput", {}).get("workerid", "")
    name = f"{base}_{worker}" if worker else base
    stamp = _schema_stamp()
    with django_db_blocker.unblock():
        with _admin(settings) as admin:
            template = _make_template(admin, base, stamp)
            kept = admin.execute(
                "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = %s", [name]
            ).fetchone()
            if not (django_db_keepdb and kept and kept[0] == stamp):
                _drop(admin, name)
                _create(admin, name, template)
                admin.execute(
                    sql.SQL("COMMENT ON DATABASE {} IS {}").format(sql.Identifier(name), sql.Literal(stamp))
                )
        connection.close()
        settings["NAME"] = name
        connection.ensure_connection()
    yield
    if not django_db_keepdb:
        with django_db_blocker.unblock():
            connection.close()
            with _admin(settings) as admin:
                _drop(admin, name)
