"""Reading YAML so that every value still knows its line.

The dialect is the strict core of YAML 1.2: only `true` and `false` are booleans (so the key `on:` is a
word, and `no` is a word too), `09:00` is text and not 540, and a key given twice in one mapping is an
error, not the last one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path as File
from typing import Any

import yaml

from bihuan.policy.rules.problems import Problem

Path = tuple[str | int, ...]

_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_Base):
    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}


_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|false)$"), list("tf"))
_Loader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"^(?:null|~|)$"), ["n", "~", ""])
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:int", re.compile(r"^[-+]?(?:0|[1-9][0-9]*)$"), list("-+0123456789")
)
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?(?:0|[1-9][0-9]*)\.[0-9]+$"), list("-+0123456789")
)
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:timestamp", re.compile(r"^\d{4}-\d{2}-\d{2}$"), list("0123456789")
)


@dataclass(frozen=True)
class Document:
    """One YAML file: its data as plain Python values, and the line (from 1) of every place in it."""

    file: str
    data: Any
    lines: dict[Path, int] = field(repr=False)
    problems: tuple[Problem, ...] = ()

    def line_of(self, path: Path) -> int:
        """Return the line of a path such as ("values", "observation.days", "value"), or of its nearest
        ancestor."""
        path = tuple(path)
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


def read_file(file: File, *, shown_as: str | None = None) -> Document:
    """Read one YAML file. What cannot be read is a problem in the answer, not an exception."""
    name = shown_as or str(file)
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except OSError as error:
        return _broken(
            name, 1, "cannot-read", "The file cannot be read: {why}.", why=error.strerror or str(error)
        )
    except UnicodeDecodeError:
        return _broken(name, 1, "not-utf8", "The file is not UTF-8 text. Save it as UTF-8.")
    return read_text(text, file=name)


def read_text(text: str, *, file: str = "<text>") -> Document:
    try:
        loader = _Loader(text)
        try:
            root = loader.get_single_node()
            builder = _Builder(loader, file)
            data = builder.build(root, ()) if root is not None else None
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = (mark.line + 1) if mark else 1
        return _broken(
            file, line, "not-yaml", "This is not YAML: {why}.", why=error.problem or error.context or ""
        )
    except (yaml.YAMLError, ValueError) as error:
        return _broken(file, 1, "not-yaml", "This is not YAML: {why}.", why=str(error).splitlines()[0])
    except RecursionError:
        return _broken(file, 1, "not-yaml", "This is not YAML: {why}.", why="nested too deeply")
    return Document(file=file, data=data, lines=builder.lines, problems=tuple(builder.problems))


def _broken(file: str, line: int, code: str, template: str, **params: str) -> Document:
    return Document(
        file=file, data=None, lines={}, problems=(Problem(file, line, "", code, template, params),)
    )


class _Builder:
    def __init__(self, loader: Any, file: str) -> None:
        self.loader, self.file = loader, file
        self.lines: dict[Path, int] = {}
        self.problems: list[Problem] = []
        self._open: set[int] = set()

    def build(self, node: yaml.Node, path: Path) -> Any:
        self.lines.setdefault(path, node.start_mark.line + 1)
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, path)
        if id(node) in self._open:
            self._problem(node, path, "cycle", "This anchor contains itself.")
            return None
        self._open.add(id(node))
        try:
            return self._mapping(node, path) if isinstance(node, yaml.MappingNode) else self._list(node, path)
        finally:
            self._open.discard(id(node))

    def _list(self, node: yaml.Node, path: Path) -> list[Any]:
        return [self.build(item, (*path, n)) for n, item in enumerate(node.value)]

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        answer: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self._problem(key_node, path, "bad-key", "A key must be a word.")
                continue
            key = key_node.value
            if key in answer:
                self._problem(key_node, (*path, key), "twice", "{key} is given twice here.", key=key)
                continue
            self.lines[(*path, key)] = key_node.start_mark.line + 1
            answer[key] = self.build(value_node, (*path, key))
        return answer

    def _scalar(self, node: yaml.ScalarNode, path: Path) -> Any:
        try:
            return self.loader.construct_object(node, deep=True)
        except (ValueError, yaml.YAMLError):
            self._problem(node, path, "bad-value", "{value} cannot be read.", value=node.value)
            return None

    def _problem(self, node: yaml.Node, path: Path, code: str, template: str, **params: Any) -> None:
        key = ".".join(str(p) for p in path)
        self.problems.append(Problem(self.file, node.start_mark.line + 1, key, code, template, params))
