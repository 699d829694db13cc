"""What is wrong with a mapping, and in which line."""

from __future__ import annotations

from typing import Any


def fault_of(file: str, line: int | None, key: str, message: Any, hint: Any) -> dict[str, Any]:
    where = f"{file}:{line}" if line else file
    text = f"{where}: {key}: {message}" if key else f"{where}: {message}"
    return {"field": key, "rule": "mapping", "message": text, "hint": str(hint), "line": line}
