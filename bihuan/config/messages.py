"""Translations: compiled without gettext, and checked to be complete."""

from __future__ import annotations

import ast
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Catalog:
    """One translation file: how many texts it has, which lack a translation, and whether it can be read."""

    path: str
    n_messages: int
    missing: tuple[str, ...]


def catalogs(root: Path = PACKAGE) -> list[Path]:
    return sorted(root.rglob("locale/*/LC_MESSAGES/*.po"))


def compile_all(root: Path = PACKAGE) -> int:
    """Write every .mo that is older than its .po; returns how many were written."""
    written = 0
    for source in catalogs(root):
        target = source.with_suffix(".mo")
        if target.exists() and target.stat().st_mtime >= source.stat().st_mtime:
            continue
        _compile(source, target)
        written += 1
    return written


def settle(root: Path = PACKAGE) -> None:
    """Bring a checkout's compiled catalogs up to date before Django reads them; an installed wheel carries
    them already, and a folder that may not be written keeps what it has."""
    with suppress(PermissionError):
        compile_all(root)


def check_all(root: Path = PACKAGE) -> list[Catalog]:
    from babel.messages.pofile import read_po

    found = []
    for path in catalogs(root):
        with path.open("rb") as file:
            catalog = read_po(file, locale=path.parent.parent.name, abort_invalid=True)
        entries = [message for message in catalog if message.id]
        missing = tuple(str(_first(m.id)) for m in entries if m.fuzzy or not _is_translated(m.string))
        found.append(Catalog(path=str(path.relative_to(root)), n_messages=len(entries), missing=missing))
    return found


def _compile(source: Path, target: Path) -> None:
    from babel.messages.mofile import write_mo
    from babel.messages.pofile import read_po

    with source.open("rb") as file:
        catalog = read_po(file, locale=source.parent.parent.name, abort_invalid=True)
    making = target.with_suffix(f".{os.getpid()}.making")  # two processes may start at once
    with making.open("wb") as file:
        write_mo(file, catalog)
    making.replace(target)


def _is_translated(text: str | tuple[str, ...] | list[str] | None) -> bool:
    return all(text) if isinstance(text, (tuple, list)) else bool(text)


def _first(text: str | tuple[str, ...] | list[str]) -> str:
    return text[0] if isinstance(text, (tuple, list)) else text


# What the code and the templates ask to have translated

_KEYWORDS = {
    "_": None,
    "gettext": None,
    "gettext_lazy": None,
    "gettext_noop": None,
    "ngettext": (1, 2),
    "ngettext_lazy": (1, 2),
    "pgettext": ((1, "c"), 2),
    "pgettext_lazy": ((1, "c"), 2),
    "npgettext": ((1, "c"), 2, 3),
}


def asked_for(root: Path = PACKAGE) -> dict[str, str]:
    """Every text marked for translation, with the first place (`file:line`) that asks for it."""
    found: dict[str, str] = {}
    for path in sorted(
        [*root.rglob("*.py"), *root.rglob("templates/**/*.html"), *root.rglob("templates/**/*.txt")]
    ):
        if "migrations" in path.parts:
            continue
        for line, text in _texts_in(path):
            found.setdefault(text, f"{path.relative_to(root)}:{line}")
    return found


def untranslated(root: Path = PACKAGE) -> dict[str, str]:
    """The texts asked for that no catalog translates, with their places."""
    from babel.messages.pofile import read_po

    known: set[str] = set()
    for path in catalogs(root):
        with path.open("rb") as file:
            catalog = read_po(file, locale=path.parent.parent.name, abort_invalid=True)
        known |= {str(_first(m.id)) for m in catalog if m.id and not m.fuzzy and _is_translated(m.string)}
    return {text: place for text, place in asked_for(root).items() if text not in known}


def told_twice(root: Path = PACKAGE) -> dict[str, dict[str, str]]:
    """Texts that catalogs translate in different ways, with each way by its catalog: Django has one of them
    said everywhere, so that of the other rooms is never read."""
    from babel.messages.pofile import read_po

    ways: dict[tuple[str, str], dict[str, str]] = {}
    for path in catalogs(root):
        with path.open("rb") as file:
            catalog = read_po(file, locale=path.parent.parent.name, abort_invalid=True)
        for message in catalog:
            if message.id:
                key = (str(_first(message.id)), message.context or "")
                ways.setdefault(key, {})[str(path.relative_to(root))] = str(_first(message.string or ""))
    return {text: found for (text, _context), found in ways.items() if len(set(found.values())) > 1}


def _texts_in(path: Path) -> list[tuple[int, str]]:
    if path.suffix == ".py":
        return _texts_in_code(path.read_text(encoding="utf-8"))
    from io import BytesIO

    from babel.messages.extract import extract
    from django.utils.translation.template import templatize

    source = templatize(path.read_text(encoding="utf-8"), origin=str(path))
    file = BytesIO(source.encode())
    met = extract("python", file, keywords=_KEYWORDS, options={"encoding": "utf-8"})
    return [(line, str(_first(text))) for line, text, _comments, _context in met if _first(text)]


def _texts_in_code(source: str) -> list[tuple[int, str]]:
    """Read from the parsed code, as what stands within f-strings is seen by no reader of tokens before
    Python 3.12."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        if name not in _KEYWORDS:
            continue
        at = 1 if name.startswith(("pgettext", "npgettext")) else 0
        text = node.args[at] if len(node.args) > at else None
        if isinstance(text, ast.Constant) and isinstance(text.value, str) and text.value:
            found.append((node.lineno, text.value))
    return sorted(found)
