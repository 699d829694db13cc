"""How fast a token may call: so many calls a minute on average, and so many at once.

One row a token says until when its calls so far have used up its pace (the generic cell rate algorithm,
GCRA). All server processes share it. It goes by the database's clock: the house's may stand still or jump.
"""

from __future__ import annotations

import math
from typing import Final

from django.conf import settings
from django.db import connection
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from bihuan.registry.errors import BihuanError

RETRY_AFTER: Final = "retry_after"
"""In the error's details: seconds."""

_CALL: Final = """
INSERT INTO api_pace AS p (token_id, used_until)
VALUES (%(token)s, clock_timestamp() + %(each)s * interval '1 s')
ON CONFLICT (token_id) DO UPDATE
    SET used_until = greatest(p.used_until, clock_timestamp()) + %(each)s * interval '1 s'
    WHERE greatest(p.used_until, clock_timestamp()) <= clock_timestamp() + %(ahead)s * interval '1 s'
RETURNING token_id
"""
_WAIT: Final = """
SELECT extract(epoch FROM used_until - clock_timestamp()) - %(ahead)s FROM api_pace WHERE token_id = %(token)s
"""


class TooFast(BihuanError):
    """A token calls faster than it may; `details` say after how many seconds it may again."""

    code = "too-many-requests"
    status = 429


def spend(token_id: int) -> None:
    """Count one call of a token. Raises TooFast when it has to wait; that call does not count."""
    per_minute, burst = settings.BIHUAN_API_PER_MINUTE, max(1, settings.BIHUAN_API_BURST)
    if per_minute <= 0:
        return
    each = 60 / per_minute
    given = {"token": token_id, "each": each, "ahead": each * (burst - 1)}
    with connection.cursor() as cursor:
        cursor.execute(_CALL, given)
        if cursor.fetchone():
            return
        cursor.execute(_WAIT, given)
        found = cursor.fetchone()
    seconds = max(1, math.ceil(found[0])) if found else 1
    raise TooFast(
        _("This token calls too often: at most %(n)s times a minute on average, %(burst)s at once.")
        % {"n": per_minute, "burst": burst},
        hint=ngettext("Call again after %(n)s second.", "Call again after %(n)s seconds.", seconds)
        % {"n": seconds},
        details={RETRY_AFTER: seconds},
    )
