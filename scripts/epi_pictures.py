"""Draws the pictures of docs/tutorial/epi.md by running its examples: python scripts/epi_pictures.py"""

from __future__ import annotations

import os
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TUTORIAL = ROOT / "docs" / "tutorial" / "epi.md"
IMAGES = ROOT / "docs" / "images"
LIMIT = 100_000  # bytes of a picture that is kept in the repository


def main() -> None:
    code = re.findall(r"^```python\n(.*?)^```$", TUTORIAL.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    os.chdir(IMAGES)
    exec(compile("\n".join(code), str(TUTORIAL), "exec"), {})
    for picture in sorted(IMAGES.glob("epi-*.png")):
        size = picture.stat().st_size
        print(f"{picture.relative_to(ROOT)}: {size / 1000:.0f} kB")
        if size > LIMIT:
            raise SystemExit(f"{picture.name} is larger than {LIMIT / 1000:.0f} kB")


if __name__ == "__main__":
    main()
