"""Decides, before Django reads its settings, which database the tests run on.

Loaded by `-p tests.environment` in pyproject.toml, in the controller and in every xdist worker.
`DATABASE_URL` given: that PostgreSQL. Otherwise a throw-away embedded cluster, stopped at the end, made by
the programs in the folder BIHUAN_TEST_POSTGRES when that is given (another PostgreSQL of this machine).
"""

from __future__ import annotations

import atexit
import gc
import os
import secrets
import shutil
import tempfile
from pathlib import Path

from bihuan.config import messages

# Tests make many short-lived objects and few cycles: a twentieth of their time went into looking for those.
gc.set_threshold(50_000, 20, 20)

messages.settle()
os.environ["BIHUAN_MODE"] = "test"
os.environ["BIHUAN_LANG"] = "zh"  # of programs that tests start, whatever the machine speaks
os.environ.setdefault("BIHUAN_SECRET_KEY", secrets.token_urlsafe(48))


def _start_throw_away_cluster() -> str:
    from bihuan.config.postgres import Cluster

    home = Path(tempfile.mkdtemp(prefix="bihuan-test-"))
    other = os.environ.get("BIHUAN_TEST_POSTGRES")
    cluster = Cluster(home, durable=False, using=Path(other) if other else None)

    def end() -> None:
        cluster.stop(mode="immediate")
        shutil.rmtree(home, ignore_errors=True)

    atexit.register(end)
    cluster.start()
    return cluster.url()


if not os.environ.get("BIHUAN_HOME"):
    _home = Path(tempfile.mkdtemp(prefix="bihuan-test-home-"))
    (_home / "static").mkdir()
    os.environ["BIHUAN_HOME"] = str(_home)
    atexit.register(shutil.rmtree, _home, ignore_errors=True)

if not os.environ.get("DATABASE_URL"):
    os.environ["DATABASE_URL"] = _start_throw_away_cluster()
