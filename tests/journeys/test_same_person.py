"""An officer finds that two records are one person, joins them, and takes it back."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest

from bihuan.registry import clock, scope
from bihuan.registry.actions.people import register_or_find
from bihuan.tracing.models import Contact
from tests.cast import PASSWORD, Cast, make_cast
from tests.journeys.test_own_page import keep
from tests.journeys.test_web import log_in
from tests.rooms.care_room import local, make_contact, zhou


@pytest.fixture
def twice(live: str) -> Iterator[Cast]:
    """周小明, registered and named a contact twice, by the same telephone."""
    with clock.frozen(local("02-01 08:00")):
        made = make_cast()
        made.officer.account.set_password(PASSWORD)
        made.officer.account.save()
    with made.officer.acting(), clock.frozen(local("02-13 08:00")):
        two = [register_or_find([zhou(phone="13871234567")], made.officer.actor)[0].person for _n in range(2)]
    for one in two:
        make_contact(made.officer, "02-13 10:00", person=one.public_id, exposure_last=date(2020, 2, 10))
    with clock.frozen(local("02-14 12:00")):
        yield made


def statuses() -> list[str]:
    with scope.system():
        return list(Contact.objects.order_by("id").values_list("status", flat=True))


def test_two_records_are_compared_joined_and_parted_again(page: Any, phone: Any, twice: Cast) -> None:
    log_in(page, "officer")
    page.goto("/people/")
    page.get_by_role("link", name="是否同一人").click()
    page.get_by_role("link", name="比较").press("Enter")
    page.get_by_role("radio", name="同一人").check()
    page.get_by_label("理由").fill("电话核实")
    keep(page, "same-decide")
    page.keyboard.press("Enter")
    page.get_by_text("已结束").first.wait_for()
    assert statuses() == ["confirmed", "released"]

    log_in(phone, "officer")
    with scope.system():
        kept = Contact.objects.order_by("id").values_list("person__public_id", flat=True)[0]
    phone.goto(f"/people/{kept}/same/")
    assert phone.evaluate("document.documentElement.scrollWidth") <= 390
    phone.get_by_text("是两个人").first.click()
    phone.get_by_label("理由").fill("是同名的两个人")
    keep(phone, "same-part")
    phone.keyboard.press("Enter")
    phone.get_by_text("重新列为密接").first.wait_for()
    assert statuses() == ["confirmed", "released", "confirmed"]
