"""A rule of one's own place, as docs/how-to/local-rules.md shows it: contacts from five days before."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from bihuan.policy import packs
from bihuan.registry import scope
from bihuan.tracing.actions.proposals import find_contacts
from bihuan.tracing.models import ContactProposal
from tests.cast import Cast
from tests.rooms.care_room import do, local
from tests.rooms.investigation_room import (
    CASE,
    NEXT,
    UNKNOWN,
    ZHOU,
    a_case,
    market,
    opened,
    registered,
    visited,
)

HOW_TO = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "local-rules.md"
ONSET = {"date_onset": date(2020, 2, 10)}
WITHOUT_SYMPTOMS = {
    "date_onset": None, "classification": "asymptomatic", "date_sample": date(2020, 2, 10),
    "test_result": "positive",
}  # fmt: skip


@pytest.fixture
def store(cast: Cast, settings: Any, tmp_path: Path) -> None:
    """A case who met one person five days before the 10th, one six days before, one on the day."""
    settings.BIHUAN_HOME = tmp_path / "home"
    registered("周小明", ZHOU)
    with cast.officer.acting():
        market(cast.officer)
    visited(
        [
            (CASE, "market", "02-05 00:10", 60),
            (ZHOU, "market", "02-05 00:30", 30),
            (CASE, "market", "02-04 20:00", 60),
            (UNKNOWN, "market", "02-04 20:30", 29),
            (CASE, "market", "02-10 09:00", 60),
            (NEXT, "market", "02-10 09:30", 30),
        ]
    )


@pytest.fixture
def five_days(settings: Any, tmp_path: Path) -> Iterator[None]:
    """The pack and the source of the page, for the month of the test."""
    pack, sources = map(dedent, re.findall(r"^ +```yaml\n(.*?)```", HOW_TO.read_text("utf-8"), re.S | re.M))
    assert "contact.window_before_onset_days: {value: 5" in pack
    folder = tmp_path / "packs"
    folder.mkdir()
    pack = re.sub(r"from: \S+ to: \S+", "from: 2020-02-01, to: 2020-02-29,", pack)
    (folder / "shiyan.yaml").write_text(pack, "utf-8")
    (folder / "sources.yaml").write_text(sources, "utf-8")
    settings.BIHUAN_PACKS = [*settings.BIHUAN_PACKS, folder]
    packs.forget()
    yield
    packs.forget()


def window_and_met(cast: Cast, facts: dict[str, Any]) -> tuple[Any, list[Any]]:
    world = opened(cast.officer, a_case(cast.officer, **facts))
    do(cast.officer, "02-12 18:00", find_contacts, world.public_id, purpose="查明密接")
    with scope.system():
        firsts = ContactProposal.objects.filter(investigation=world).values_list("first_at", flat=True)
        return world.window_from, sorted(firsts)


@pytest.mark.parametrize("facts", [ONSET, WITHOUT_SYMPTOMS])
def test_whom_the_case_met_five_days_before_is_proposed_under_the_rule_of_the_place(
    cast: Cast, store: None, five_days: None, facts: dict[str, Any]
) -> None:
    begins, met = window_and_met(cast, facts)
    assert begins == local("02-05 00:00")
    assert met == [local("02-05 00:30"), local("02-10 09:30")]


def test_without_it_the_national_edition_decides(cast: Cast, store: None) -> None:
    begins, met = window_and_met(cast, ONSET)
    assert begins == local("02-10 00:00"), "the packs of February 2020: from the day of onset"
    assert met == [local("02-10 09:30")]
