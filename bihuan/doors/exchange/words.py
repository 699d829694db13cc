"""The words of `words.yaml`, ready for comparing: header synonyms, code lists, and what means "unknown"."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import yaml

_SQUEEZE = re.compile(r"[\s_\-./\\·:：,，;；'\"“”*#]+")
_BRACKETS = re.compile(r"[(（\[【].*?[)）\]】]")


_PLAIN_ALREADY = re.compile(r"[\u4e00-\u9fff0-9a-z]+")


def plain(text: str) -> str:
    """Text without case, accents, full-width forms and doubled spaces: for comparing values."""
    return text if _PLAIN_ALREADY.fullmatch(text) else _plain(text)


@lru_cache(maxsize=65_536)
def _plain(text: str) -> str:
    text = unicodedata.normalize("NFKC", text).strip().casefold()
    text = "".join(c for c in unicodedata.normalize("NFD", text) if not unicodedata.combining(c))
    return " ".join(text.split())


@lru_cache(maxsize=4_096)
def header_key(text: str) -> str:
    """A header without punctuation and spaces, `Fecha de inicio (dd/mm)` -> `fechadeinicio`."""
    text = _BRACKETS.sub(" ", unicodedata.normalize("NFKC", text))
    return _SQUEEZE.sub("", plain(text))


@cache
def _data() -> dict[str, Any]:
    return yaml.safe_load(Path(__file__).with_name("words.yaml").read_text(encoding="utf-8"))


@cache
def synonyms() -> Mapping[str, tuple[str, ...]]:
    """Field -> header keys by which it is known; the first is the most usual."""
    return {key: tuple(header_key(str(w)) for w in words) for key, words in _data()["fields"].items()}


@cache
def missing() -> frozenset[str]:
    """Values that mean nothing is known."""
    return frozenset(plain(str(w)) for w in _data()["missing"])


@cache
def codes(name: str) -> Mapping[str, str]:
    """Plain value -> canonical value of a code list (a field key, or "bool"); "" stands for unknown."""
    out: dict[str, str] = {}
    for canonical, words in _data()["codes"].get(name, {}).items():
        out[plain(str(canonical))] = str(canonical)
        for word in words:
            out[plain(str(word))] = str(canonical)
    return out
