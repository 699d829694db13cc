"""A newcomer's first hour: the list of Tianjin through the wizard, what was late on 2020-02-05 and why, one
duty worked off on a phone, and the proof that the loop holds.

Set BIHUAN_TEST_PICTURES to a folder to keep a picture of every step.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.doors import tianjin

NOW = datetime(2020, 3, 1, 1, 0, tzinfo=UTC)  # 09:00 in China
DAY = date(2020, 2, 5)
PASSWORD = "closed-loop-2020"
PLACE = "12"


@dataclass(frozen=True)
class Newcomer:
    """Where the lists lie, and what the list of cases says."""

    linelist: Path
    contacts: Path
    rows: list[tianjin.Row]


@pytest.fixture
def newcomer(live: str, shared: Path) -> Iterator[Newcomer]:
    """Tianjin with the standard posts, one account in the post of investigation, the clock at 2020-03-01."""
    from bihuan.registry import clock, posts, scope
    from bihuan.registry.actions import organizations, roles, territory
    from bihuan.registry.actor import Actor

    folder = shared / "data" / tianjin.FOLDER
    linelist, contacts = folder / "linelist.csv", folder / "contacts.csv"
    if not (linelist.is_file() and contacts.is_file()):
        pytest.skip(f"{tianjin.FOLDER} is not among the input data")
    actor = Actor.system("newcomer", door="test")
    with clock.frozen(NOW):
        with scope.system():
            territory.store_units([u for u in territory.builtin_units() if u.code.startswith(PLACE)])
            roles.sync_roles(actor=actor)
            organizations.establish(PLACE, actor=actor)
            post = next(p for p in posts.of_territory(PLACE) if p.function == "cdc_investigation")
            organizations.create_account(
                username="newcomer", password=PASSWORD, post_ids=(post.id,), actor=actor
            )
        yield Newcomer(linelist, contacts, tianjin.read(linelist))


def log_in(page: Any) -> None:
    page.goto("/accounts/login/")
    page.get_by_label("用户名").fill("newcomer")
    page.get_by_label("密码", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="登录").click()
    page.wait_for_url(lambda url: "login" not in url)


def keep(page: Any, name: str) -> None:
    """Keep a picture of the step, where one is wanted."""
    folder = os.environ.get("BIHUAN_TEST_PICTURES")
    if folder:
        page.wait_for_load_state("networkidle")
        page.screenshot(path=str(Path(folder) / f"{name}.png"), full_page=True)


def work_off_the_queue() -> None:
    """Be the worker once: run what is queued, in a thread of its own as the browser holds this one."""
    wrong: list[BaseException] = []

    def work() -> None:
        from django.db import connections
        from procrastinate.contrib.django import app

        try:
            connector = app.connector.get_worker_connector()  # type: ignore[attr-defined]
            with app.replace_connector(connector) as worker:
                worker.run_worker(
                    queues=["import"], wait=False, install_signal_handlers=False, listen_notify=False
                )
        except BaseException as error:
            wrong.append(error)
        finally:
            connections.close_all()

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(timeout=120)
    assert not wrong, wrong
    assert not thread.is_alive()


def bring_in(page: Any, file: Path, kind: str, *, pictures: str) -> None:
    """Drop a file on the wizard, take the mapping it proposes, look at the preview, run."""
    page.goto("/import/")
    page.get_by_label(kind, exact=True).check()
    page.set_input_files("input[type=file]", str(file))
    page.wait_for_url("**/columns/")
    keep(page, f"{pictures}-columns")
    page.get_by_role("button", name="查看预览").click()
    page.wait_for_url("**/preview/")
    keep(page, f"{pictures}-preview")
    page.get_by_role("button", name="开始导入").click()
    page.get_by_text("等待后台处理").or_(page.get_by_text("逐行台账")).first.wait_for()
    work_off_the_queue()
    page.get_by_role("link", name="下载逐行台账").wait_for()
    keep(page, f"{pictures}-ledger")


def counted(page: Any, status: str) -> int:
    """The number on a chip of the ledger."""
    text = page.locator(f"a.chip[href*='status={status}']").inner_text()
    return int(text.split()[-1].replace(",", ""))


def late_of_stage(page: Any, stage: str) -> int:
    row = page.locator("table.stage-table tr", has=page.get_by_role("cell", name=stage, exact=True))
    text = row.locator("td").last.inner_text().strip()
    return int(text.replace(",", "")) if text else 0


def check_as_json() -> dict[str, Any]:
    """`bihuan loops check --json`."""
    import contextlib
    import io

    from bihuan.doors.cli.main import run

    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        code = run(["loops", "check", "--json"])
    assert code == 0, said.getvalue()
    found: dict[str, Any] = json.loads(said.getvalue())
    return found


def test_a_newcomer_brings_in_a_real_list_and_sees_what_was_late_and_why(
    page: Any, newcomer: Newcomer
) -> None:
    rows = newcomer.rows
    log_in(page)
    assert page.get_by_role("heading", name="天津市").is_visible()
    keep(page, "1-empty-board")

    bring_in(page, newcomer.linelist, "病例", pictures="2-cases")
    assert counted(page, "accepted") == len(rows) == 135
    bring_in(page, newcomer.contacts, "病例间关联", pictures="3-links")
    assert counted(page, "accepted") == 91
    bring_in(page, newcomer.linelist, "病例", pictures="4-again")
    assert (counted(page, "accepted"), counted(page, "duplicate")) == (0, len(rows))

    page.goto(f"/board/?as_of={DAY}")
    keep(page, "5-board")
    for kind, (stage, _clause) in tianjin.STAGES.items():
        assert late_of_stage(page, stage) == len(tianjin.late(rows, kind, DAY)), stage
    total = sum(len(tianjin.late(rows, kind, DAY)) for kind in tianjin.STAGES)
    expect(page.get_by_role("link", name=f"全部 {total} 项")).to_be_visible()

    first = min(row.confirmed for row in rows)
    longest = page.locator("section", has=page.get_by_role("heading", name="最久的超时")).locator("tbody tr")
    due_first = [
        (row.case_id, tianjin.STAGES[kind][1])
        for kind in tianjin.STAGES
        for row in tianjin.late(rows, kind, DAY)
        if row.last_day(kind) == first
    ]
    shown = [longest.nth(n).inner_text() for n in range(longest.count())]
    assert len(shown) == len(due_first) == 8
    assert sorted(clause for _id, clause in due_first) == sorted(
        clause for text in shown for _stage, clause in tianjin.STAGES.values() if clause in text
    )
    whole_days = (DAY - first).days - 1  # from the end of the first day to the last minute of this one
    assert all(f"{whole_days} 天" in text for text in shown)

    longest.first.get_by_role("link", name="D4-17c").or_(
        longest.first.get_by_role("link", name="D0-07")
    ).click()
    panel = page.get_by_role("dialog")
    panel.get_by_text("规则").wait_for()
    keep(page, "6-why")
    assert "clocks." in panel.inner_text()


def test_a_newcomer_works_a_duty_off_on_a_phone_and_the_loop_holds(phone: Any, newcomer: Newcomer) -> None:
    log_in(phone)
    bring_in(phone, newcomer.linelist, "病例", pictures="7-phone")
    before = check_as_json()
    phone.goto("/duties/")
    keep(phone, "8-phone-duties")
    assert phone.evaluate("document.documentElement.scrollWidth") <= 390
    investigation = phone.locator(".duty", has_text="流调").first
    expect(investigation.locator(".chip.late")).to_be_visible()
    assert "D4-17b" in investigation.inner_text()
    late = phone.locator(".duty").count()
    which = investigation.get_attribute("id")
    investigation.locator("[data-done]").first.click()
    panel = phone.get_by_role("dialog")
    panel.get_by_role("button", name="完成流调").wait_for()
    panel.get_by_role("radiogroup", name="此处无轨迹的原因").get_by_text("纸质", exact=False).first.click()
    keep(phone, "9-phone-form")
    panel.get_by_role("button", name="完成流调").click()
    expect(phone.locator(f"#{which}")).to_have_count(0)
    keep(phone, "10-phone-done")
    assert phone.locator(".duty").count() <= late

    after = check_as_json()
    assert after["violations"] == before["violations"] == []
    assert after["done"] == before["done"] + 1
    assert after["open"] == before["open"] - 1
    assert after["created"] == after["open"] + after["done"] + after["waived"] + after["superseded"]
