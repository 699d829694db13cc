"""Where and when the built-in drill plays: Shiyan, February 2020, the city and weeks of document D1.

Only the places are real (codes of the National Bureau of Statistics); every person and event is made up.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

PROVINCE: Final = "42"
CITY: Final = "4203"
COUNTY: Final = "420303"  # 张湾区
TOWN: Final = "420303101"  # 柏林镇
NEXT_COUNTIES: Final = ("420302", "420304", "420381")  # 茅箭区, 郧阳区, 丹江口市
NEXT_CITY: Final = "4206"  # 襄阳市
COUNTY_SHARE: Final = 0.72
"""Share of the outbreak that the drill's own county carries; the rest makes the city board worth reading."""

SEED: Final = 20200250
"""Chosen among four hundred for a curve that is still busy on the last day, so that every list has rows."""
START: Final = datetime(2020, 1, 15, tzinfo=UTC)
CONTROL_FROM: Final = datetime(2020, 1, 26, tzinfo=UTC)
NOW: Final = datetime(2020, 2, 17, 12, 40, tzinfo=UTC)
"""20:40 local time on the day of the opinions D0 and D1: three hours twenty before same-day clearance."""
