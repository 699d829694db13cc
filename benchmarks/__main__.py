"""`python3 bihuan.py bench NAME [OPTIONS]`: one benchmark, on a database of its own.

`DATABASE_URL` given: beside the database it names. Otherwise on the embedded PostgreSQL of a throw-away
folder, with fsync on, as in real life. Those that measure numbers alone start no database.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
import sys
import tempfile
from pathlib import Path

HELPERS = ("__main__", "scratch", "synthetic_people", "loop_city", "peer_r", "visits_synthetic")
#: What these measure lies in files and memory.
WITHOUT_DATABASE = (
    *("backtests", "country", "ears", "farrington", "farrington_effect", "rt", "scan"),
    *("visits_ingest", "visits_trace"),
)


def names() -> list[str]:
    """The benchmarks: every module of this folder that has a `main`."""
    found = (module.name for module in pkgutil.iter_modules([str(Path(__file__).parent)]))
    return sorted(name for name in found if name not in HELPERS)


def main(words: list[str]) -> int:
    if not words or words[0].replace("-", "_") not in names():
        print(f"Which benchmark? One of: {', '.join(names())}", file=sys.stderr)
        return 2
    name = words[0].replace("-", "_")
    os.environ.setdefault("BIHUAN_MODE", "test")
    if os.environ.get("DATABASE_URL") or name in WITHOUT_DATABASE:
        return _run(name, words[1:])
    from bihuan.config.postgres import Cluster

    with tempfile.TemporaryDirectory(prefix="bihuan-bench-") as folder:
        cluster = Cluster(Path(folder))
        cluster.start()
        os.environ |= {"DATABASE_URL": cluster.url(), "BIHUAN_HOME": folder}
        try:
            return _run(name, words[1:])
        finally:
            cluster.stop("immediate")


def _run(name: str, words: list[str]) -> int:
    done = importlib.import_module(f"benchmarks.{name}").main(words)
    return done if isinstance(done, int) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
