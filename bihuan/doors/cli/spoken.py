"""Which language is spoken: by the command line, as by its computer; in one answer, as `--lang` asks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from django.conf import settings
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from bihuan.registry.errors import Invalid

LANGUAGES = {"zh": "zh-hans", "en": "en"}
#: Said outright; else the locale, in the order in which POSIX reads it.
ASKED: Final = "BIHUAN_LANG"
_LOCALE: Final = ("LC_ALL", "LC_MESSAGES", "LANG")
_NO_LANGUAGE: Final = ("", "c", "posix")


def language(asked: str) -> str:
    """What is spoken: as asked, else the language of the command line. Invalid for any other."""
    spoken = (asked or get_language() or "zh").casefold()
    if spoken[:2] not in LANGUAGES:
        raise Invalid(_("“%(lang)s” is not a language spoken here; there are zh and en.") % {"lang": asked})
    return spoken


def of_the_command_line(environment: Mapping[str, str]) -> str:
    """The language of the command line: `BIHUAN_LANG`; else that of the locale, English where it is neither;
    that of the house where the locale names none (C, POSIX). Raises Invalid for another BIHUAN_LANG."""
    if asked := environment.get(ASKED, "").strip():
        return LANGUAGES[language(asked)[:2]]
    named = next((environment[name] for name in _LOCALE if environment.get(name)), "")
    spoken = named.partition(".")[0].casefold()
    if spoken in _NO_LANGUAGE:
        return settings.LANGUAGE_CODE
    return LANGUAGES.get(spoken[:2], LANGUAGES["en"])
