"""Where other installations knock: messages of assistance requests, and our card for whoever wants to pair.

No token: a message proves its sender by signature (`tracing.actions.assistance.receive`), and whoever cannot
is told no more than that. docs/reference/exchange-protocol.md is the contract.
"""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict
from typing import Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt

from bihuan.doors.api import problems
from bihuan.doors.api.pace import RETRY_AFTER, TooFast
from bihuan.registry import audit
from bihuan.registry.errors import BihuanError
from bihuan.tracing.actions.assistance import receive
from bihuan.tracing.queries.assistance import MOST_BYTES
from bihuan.tracing.queries.peers import own_card

_REMEMBERED: Final = 4096
"""Addresses whose pace is remembered by a process; the longest silent is forgotten first."""


class Gate:
    """How often one address may knock: the API's pace, counted by each server process in memory, so that
    knocking writes nothing."""

    def __init__(self) -> None:
        self._used: OrderedDict[str, float] = OrderedDict()
        self._lock = threading.Lock()

    def pass_or_raise(self, address: str) -> None:
        """Count one knock. Raises TooFast with the seconds to wait."""
        per_minute, burst = settings.BIHUAN_API_PER_MINUTE, max(1, settings.BIHUAN_API_BURST)
        if per_minute <= 0:
            return
        each, now = 60 / per_minute, time.monotonic()
        with self._lock:
            used = max(self._used.pop(address, now), now)
            wait = used - now - each * (burst - 1)
            self._used[address] = used if wait > 0 else used + each
            while len(self._used) > _REMEMBERED:
                self._used.popitem(last=False)
        if wait > 0:
            seconds = max(1, math.ceil(wait))
            raise TooFast(_("Too many messages from this address."), details={RETRY_AFTER: seconds})


gate: Final = Gate()


@csrf_exempt
def messages(request: HttpRequest) -> HttpResponse:
    """POST: take one message; 200 with a signed receipt, or a problem that says why not."""
    if request.method != "POST":
        return problems.not_allowed("POST")
    try:
        gate.pass_or_raise(request.META.get("REMOTE_ADDR", ""))
        if int(request.META.get("CONTENT_LENGTH") or 0) > MOST_BYTES:
            return problems.of(problems.too_large(MOST_BYTES))
        with audit.through("exchange"):
            return _answer(receive(request.read(MOST_BYTES + 1)))
    except BihuanError as refused:
        return _private(problems.of(refused))


def card(request: HttpRequest) -> HttpResponse:
    """GET: this installation's card, which holds public keys only. Who takes it compares the fingerprint."""
    if request.method not in ("GET", "HEAD"):
        return problems.not_allowed("GET, HEAD")
    found = own_card()
    if found is None:
        return problems.not_found()
    return _answer(found[0])


def _answer(body: object) -> HttpResponse:
    return _private(JsonResponse(body))


def _private(response: HttpResponse) -> HttpResponse:
    response["Cache-Control"] = "no-store"
    return response
