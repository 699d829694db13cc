"""How tracing's notices read in a digest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from django.utils.translation import gettext as _

OVER_LIMIT: Final = "place.over_limit"


def over_limit_in_words(payload: Mapping[str, Any]) -> str:
    """A place holds more people than it may: which, how many, the limit."""
    return _("%(place)s holds %(inside)s people; %(limit)s are allowed.") % {
        name: payload.get(name, "") for name in ("place", "inside", "limit")
    }
