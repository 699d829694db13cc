"""Years that a table, a page, a command or a message can mean; a day in another one is a slip, and no
arithmetic goes on it."""

from typing import Final

FIRST: Final = 1800
LAST: Final = 2200
MEANT: Final = range(FIRST, LAST + 1)
