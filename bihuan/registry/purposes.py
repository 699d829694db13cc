"""What personal data were shown for, kept so that everybody reads it in her own language.

What the house says by itself (a page, a look, a purpose it proposes) is kept as a code with parts, as in
`§look.met|I-7F3K9Q2M4D|…`; what somebody wrote stays as she wrote it, and so do records from before codes.
Rooms register their codes once, from `AppConfig.ready`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.utils import translation

_SIGN, _BETWEEN = "§", "|"
_LONGEST = 200

Words = Callable[..., Any]

_words: dict[str, tuple[int, Words]] = {}
_proposed: list[str] = []
_herself: dict[str, Any] = {}


def register_purpose(
    code: str, words: Words | Any, *, parts: int = 0, proposed: bool = False, herself: Any = None
) -> None:
    """Say how a code reads: a (lazy) text, or what makes one of its `parts`. `proposed`: a purpose that forms
    propose, which is kept as its code when it is taken over unchanged in whatever language. `herself`: the
    (lazy) text for whom the data are about, where the parts may tell of others."""
    _words[code] = (parts, words if parts else lambda: words)
    if herself is not None:
        _herself[code] = herself
    if proposed:
        _proposed.append(code)
        _codes_of.cache_clear()


def purpose(code: str, *parts: str) -> str:
    """What is kept for a code and its parts, 200 characters at most; only the last part may be cut, and hold
    the sign between parts."""
    return _BETWEEN.join((_SIGN + code, *parts))[:_LONGEST]


def said(kept: str) -> str:
    """A purpose in the reader's language; what nobody registered, as it is kept."""
    if not kept.startswith(_SIGN):
        return kept
    code, *rest = kept[1:].split(_BETWEEN, 1)
    if code not in _words:
        return kept
    n, words = _words[code]
    parts: Sequence[str] = rest[0].split(_BETWEEN, n - 1) if rest and n else []
    if len(parts) != n:
        return kept
    return str(words(*(said(part) for part in parts)))


def told(kept: str) -> str:
    """A purpose as the person herself is told it: what the house says by itself, without the numbers of
    records of others, by which two who compare could know each other. What somebody wrote may name others
    and is left out; "" where nothing else is kept."""
    code = kept[1:].split(_BETWEEN, 1)[0] if kept.startswith(_SIGN) else ""
    if code not in _words:
        return ""
    words = str(_herself[code]) if code in _herself else said(kept)
    return "" if words == kept else words


def neutral(text: str) -> str:
    """A purpose that somebody gave, as it is to be kept: the code of one that was proposed, in whatever
    language it was taken over; else the text itself, which never passes for a code."""
    told = text.strip().lstrip(_SIGN).strip()
    return _codes_of().get(told, told)


@lru_cache(maxsize=1)
def _codes_of() -> dict[str, str]:
    found = {}
    for language, _name in settings.LANGUAGES:
        with translation.override(language):
            found.update({said(purpose(code)): purpose(code) for code in _proposed})
    return found
