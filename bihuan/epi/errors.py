"""What can be wrong with what is handed to the room.

EpiError                    anything this room refuses; a ValueError, so notebooks need not know it
├── InputError              data that cannot be read as asked: names the field, the place and the way out
└── NotEnoughData           data in good order, but too little of it for the method
"""

from __future__ import annotations


class EpiError(ValueError):
    """Refused, with what to do. `zh` and `en` say the same; `str()` gives the English."""

    def __init__(self, en: str, zh: str, *, field: str = "") -> None:
        super().__init__(en)
        self.en, self.zh, self.field = en, zh, field

    def text(self, lang: str = "en") -> str:
        return self.zh if lang.startswith("zh") else self.en


class InputError(EpiError):
    """The data or a parameter is not what the function takes."""


class NotEnoughData(EpiError):
    """The data are in order, but the method cannot stand on so few of them."""
