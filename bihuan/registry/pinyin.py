"""How characters are spelled, by the dictionary of pypinyin. It takes half a second to load, and most
commands spell nothing: it is loaded when somebody first asks."""

from __future__ import annotations

from functools import cache
from typing import Any


def syllables(text: str, *, v_to_u: bool = False) -> list[str]:
    """Syllables without tones, as a text is read; signs stay as they are. `v_to_u`: ü as such, else as v."""
    return list(_dictionary().lazy_pinyin(text, v_to_u=v_to_u))


def is_no_phrase(text: str) -> bool:
    """Whether a text is of characters that are known, but not together: each is read by itself then."""
    constants = _dictionary().constants
    known = constants.PINYIN_DICT
    return text not in constants.PHRASES_DICT and all(ord(character) in known for character in text)


@cache
def _dictionary() -> Any:
    import pypinyin
    import pypinyin.constants

    return pypinyin
