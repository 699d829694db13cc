"""The language of one answer, as `--lang` asks for it."""

from __future__ import annotations

from django.utils.translation import get_language
from django.utils.translation import gettext as _

from bihuan.registry.errors import Invalid

LANGUAGES = {"zh": "zh-hans", "en": "en"}


def language(asked: str) -> str:
    """What is spoken: as asked, else the language of the command line. Invalid for any other."""
    spoken = (asked or get_language() or "zh").casefold()
    if spoken[:2] not in LANGUAGES:
        raise Invalid(_("“%(lang)s” is not a language spoken here; there are zh and en.") % {"lang": asked})
    return spoken
