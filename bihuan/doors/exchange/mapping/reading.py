"""A mapping out of YAML, or out of the data of a form."""

from __future__ import annotations

from collections.abc import Mapping as AnyMapping
from pathlib import Path
from typing import Any

import yaml
from django.utils.translation import gettext as _

from bihuan.doors.exchange.errors import MappingError
from bihuan.doors.exchange.mapping.checking import Check
from bihuan.doors.exchange.mapping.faults import fault_of
from bihuan.doors.exchange.mapping.model import Mapping

MAX_BYTES = 1_000_000


def load(path: Path) -> Mapping:
    """Read and check a mapping file. Raises MappingError with every fault, naming file, line and key."""
    try:
        size = path.stat().st_size
        text = path.read_text(encoding="utf-8-sig") if size <= MAX_BYTES else None
    except (OSError, UnicodeDecodeError) as error:
        raise MappingError(
            [fault_of(path.name, 1, "", _("The mapping file cannot be read: %s") % error, "")]
        ) from error
    if text is None:
        raise MappingError([fault_of(path.name, 1, "", _("The mapping file is larger than 1 MB."), "")])
    return loads(text, name=path.name)


def loads(text: str, *, name: str = "mapping") -> Mapping:
    """Read and check a mapping text. Raises MappingError."""
    try:
        events = yaml.parse(text, Loader=yaml.SafeLoader)
        if any(isinstance(e, yaml.AliasEvent) for e in events):
            raise MappingError(
                [fault_of(name, 1, "", _("A mapping has no anchors and aliases."), _("Write it out."))]
            )
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        data = loader.construct_document(node) if node is not None else None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise MappingError(
            [
                fault_of(
                    name,
                    mark.line + 1 if mark else 1,
                    "",
                    _("This is not YAML: %s") % error,
                    _("See the example."),
                )
            ]
        ) from error
    if not isinstance(data, dict):
        raise MappingError(
            [fault_of(name, 1, "", _("A mapping is a list of keys, beginning with `mapping:`."), "")]
        )
    return Check(name, data, _lines(node)).mapping()


def from_data(data: AnyMapping[str, Any], *, name: str = "mapping") -> Mapping:
    """Check a mapping given as data (from a form). Raises MappingError."""
    return Check(name, dict(data), {}).mapping()


def _lines(node: Any, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], int]:
    out = {path: node.start_mark.line + 1}
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            here = (*path, str(key.value))
            out |= _lines(value, here)
            out[here] = key.start_mark.line + 1
    return out
