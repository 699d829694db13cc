"""The code that opens somebody's own page, and what shows that it is she who opens it. Pure."""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum
from typing import Final

from bihuan.registry.identity import compact
from bihuan.registry.ids import ALPHABET

#: Characters of a code: 60 random bits, which nobody guesses, and few enough to read out over the phone.
CODE_LENGTH: Final = 12
#: How long a code opens the page, and how often a wrong answer is taken: conventions of this program.
VALID_DAYS: Final = 30
TRIES: Final = 5
#: How many characters of a document number or telephone she is asked for.
ASKED: Final = 4
_GROUP: Final = 4
_MISREAD: Final = str.maketrans({"I": "1", "L": "1", "O": "0"})


class OwnEnd(StrEnum):
    """Why a code opens nothing any more, before its days are over."""

    RENEWED = "renewed"
    TAKEN_BACK = "taken_back"
    GUESSED = "guessed"


def plain_code(text: str) -> str:
    """A code as it was typed, of whatever width, without spaces and dashes, letters that are misread set
    right; "" if it is none."""
    found = _plain(text).translate(_MISREAD)
    return found if len(found) == CODE_LENGTH and set(found) <= set(ALPHABET) else ""


def grouped(code: str) -> str:
    """A code as it is printed: 7K3M-9QXD-2F5T."""
    return "-".join(code[i : i + _GROUP] for i in range(0, len(code), _GROUP))


def plain_answer(text: str) -> str:
    """The characters she was asked for, typed in whatever width; "" if they are more or fewer."""
    found = _plain(text)
    return found if len(found) == ASKED else ""


def is_hers(answer: str, numbers: Collection[str]) -> bool:
    """Whether the answer is the end of one of her numbers. Numbers too short to ask for never are."""
    told = plain_answer(answer)
    ends = [_plain(number)[-ASKED:] for number in numbers if len(_plain(number)) > ASKED]
    return bool(told) and told in ends


def _plain(text: str) -> str:
    """Letters and digits alone, wide ones (Ａ１) as narrow: of documents, too, signs are not asked for."""
    return "".join(c for c in compact(text) if c.isalnum())
