"""How entry records came about, and whether one shows that somebody was there. No Django."""

from __future__ import annotations

from typing import Final

TRANSPORT: Final = "transport"
#: Words for the codes of the visit store (`epi.visits.roles.HOW`), in their order; "" = not said.
WORDS: Final = ("", "code", "card", "face", "hand", "gate", "self", "interview", TRANSPORT)
#: Those in which somebody, or a machine, saw the person or her card. A code may have been forwarded, a phone
#: reports where it is, not who carries it, and a carrier's list names who booked, not who was on board.
_SEEN: Final = frozenset({"card", "face", "hand", "gate", "interview"})


def word_of(code: int | None) -> str:
    """The word for a code; "" for one that is not said, not known or not read."""
    return WORDS[code] if code is not None and 0 <= code < len(WORDS) else ""


def is_of_carrier(word: str | None) -> bool:
    """Whether the record came from a carrier (a ticket, a boarding, a passenger list)."""
    return word == TRANSPORT


def shows_presence(word: str) -> bool:
    """Whether a record made so shows that the person was there; else presence is unconfirmed."""
    return word in _SEEN
