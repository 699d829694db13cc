"""The engine's own events, and the names it reads in their data."""

from __future__ import annotations

from typing import Final

RETRACTED: Final = "loop.retracted"
REPLANNED: Final = "loop.replanned"
DUTY_DONE: Final = "duty.done"
DUTY_WAIVED: Final = "duty.waived"
DUTY_HANDED_OVER: Final = "duty.handed_over"
FUTURE: Final = "future"
"""In a hand-over's data: true hands over the slots to come as well."""
DUTY_KEY: Final = "duty"
"""In an event's data: the key of the one duty it speaks of."""

OWN: Final = frozenset({RETRACTED, REPLANNED, DUTY_DONE, DUTY_WAIVED, DUTY_HANDED_OVER})
BOOKKEEPING: Final = frozenset({DUTY_KEY, "reason", "post", "event", "policy", FUTURE})
