"""A mapping as YAML that people read and change."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import yaml

from bihuan.doors.exchange import words
from bihuan.doors.exchange.mapping.keys import FILE, TERRITORY
from bihuan.doors.exchange.mapping.model import ColumnMap, Mapping


def dumps(m: Mapping) -> str:
    """The mapping as YAML that `loads` takes; confidence and reason of a guess become comments."""
    lines = [f"mapping: {_q(m.name)}", f"kind: {m.kind}", f"list: {_q(m.list_id)}"]
    if m.title:
        lines.append("title: {" + ", ".join(f"{k}: {_q(v)}" for k, v in m.title.items()) + "}")
    if m.source:
        lines.append(f"source: {_q(m.source)}")
    if m.disease:
        lines.append(f"disease: {_q(m.disease)}")
    lines += _block("file", [(k, getattr(m.file, k)) for k in FILE])
    lines += _block("territory", [(k, getattr(m.territory, k)) for k in TERRITORY[:3]])
    if m.territory.names:
        if not any(getattr(m.territory, k) for k in TERRITORY[:3]):
            lines.append("territory:")
        lines.append("  names:")
        lines += [f"    {_q(k)}: {_q(v)}" for k, v in m.territory.names.items()]
    era = [(k, v) for k, v in (("from", m.era_from), ("to", m.era_to)) if v]
    lines.append("dates:")
    lines += [
        f"  {k}: {_value(v)}" for k, v in (("day_first", m.day_first), ("year", m.year)) if v is not None
    ]
    lines.append(f"  timezone: {_q(m.timezone)}")
    if era:
        lines.append("  era: {" + ", ".join(f"{k}: {v.isoformat()}" for k, v in era) + "}")
    lines.append("columns:")
    for column in m.columns:
        lines += _column_lines(column)
    lines += _block("constants", list(m.constants.items()))
    if m.required:
        lines.append("required: [" + ", ".join(m.required) + "]")
    return "\n".join(lines) + "\n"


def _column_lines(c: ColumnMap) -> list[str]:
    note = ""
    if c.confidence is not None:
        note = f"  # {c.confidence:.0%}: {c.reason}".replace("\n", " ")
    elif c.reason:
        note = f"  # {c.reason}"
    if not c.fields:
        return [f"  {_q(c.header)}: {{ignore: true}}{note}"]
    lines = [f"  {_q(c.header)}:{note}"]
    if len(c.fields) == 1:
        lines.append(f"    field: {c.fields[0]}")
    else:
        lines.append("    fields: [" + ", ".join(c.fields) + "]")
    if c.values:
        lines.append("    values:")
        lines += [f"      {_q(k)}: {_q(v)}" for k, v in c.values.items()]
    if c.missing:
        lines.append("    missing: [" + ", ".join(_q(v) for v in sorted(c.missing)) + "]")
    if c.implies:
        lines.append("    implies: {" + ", ".join(f"{k}: {_q(v)}" for k, v in c.implies.items()) + "}")
    return lines


def _block(key: str, items: Sequence[tuple[str, Any]]) -> list[str]:
    kept = [f"  {k}: {_value(v)}" for k, v in items if v is not None]
    return [f"{key}:", *kept] if kept else []


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int) else _q(str(value))


_BARE = re.compile(r"[A-Za-z_\u4e00-\u9fff][\w\-]*")

_YAML_WORDS = ("yes", "no", "true", "false", "on", "off", "null", "y", "n")


def _q(text: str) -> str:
    """A YAML scalar on one line; quoted whenever it could be read as anything but this text."""
    text = str(text)
    if _BARE.fullmatch(text) and words.plain(text) not in _YAML_WORDS:
        return text
    return yaml.dump(text, default_style='"', allow_unicode=True, width=10_000).strip().removesuffix("\n...")
