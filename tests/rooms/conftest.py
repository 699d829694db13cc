"""Set-ups that several files of rooms share."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.cast import OTHER_CITY, Cast

if TYPE_CHECKING:
    from tests.rooms.exchange_room import House, Line


@pytest.fixture
def houses(cast: Cast, tmp_path: Path) -> tuple[House, House, Line]:
    """Two installations that know each other, the one that asks and the one that is asked, and the line
    between them."""
    from tests.rooms.exchange_room import Line, pair

    asking, asked = pair(tmp_path, asking="4203", asked=OTHER_CITY)
    return asking, asked, Line(asking, asked)


@pytest.fixture
def noon() -> Iterator[datetime]:
    """14 February 2020, 12:00; the clock stands."""
    from bihuan.registry import clock
    from tests.rooms.care_room import local

    with clock.frozen(local("02-14 12:00")) as at:
        yield at
