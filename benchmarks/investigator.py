"""From a confirmed case on screen to a confirmed list of contacts, in a real browser, on a visit store.

Bar: under five minutes for the investigator on 100 million visits, duties at the right streets, and every
name says why (issue 4). A browser does each thing an investigator does, on the product's own pages, and the
clock on the wall says what the machine takes. What the person takes is added up by the keystroke-level model
(Card, Moran and Newell 1980, The keystroke-level model for user performance time with interactive systems,
CACM 23, 396-410): an expert without errors points, presses, types, moves the hand between mouse and keys, and
thinks before each decision. Each name on the list is read besides, one fixation for who and one for why
(230 ms, Card, Moran and Newell 1983, The Psychology of Human-Computer Interaction). That is a model and no
person: who hesitates, or calls somebody meanwhile, takes longer.

The investigator decides place by place: those who were where the case was at the place, who were there so
long, by one criterion and one reason. That is repeated until so many names are decided.

    python3 bihuan.py bench investigator [--store FOLDER] [--events 1000000] [--names 400]
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import contacts_done, loop_city, scratch

#: Seconds of each operator: press a key (average typist) or a button of the mouse, point, hand from the one
#: to the other, think; and look at one spot.
SECONDS = {"key": 0.28, "button": 0.2, "point": 1.1, "hand": 0.4, "think": 1.35, "fixation": 0.23}
FIXATIONS = 2
PASSWORD = "closed-loop-2020"
#: What is typed as a reason for each place: 14 keys of pinyin and a space for each of two words.
REASON, REASON_KEYS = "同店同时", 16
COUNTY = "420303"
_ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]


def main(words: Sequence[str] = ()) -> dict[str, Any]:
    """Run it; prints and returns the figures."""
    parser = argparse.ArgumentParser(prog="bench investigator")
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--days", type=int, default=14)
    parser.add_argument("--names", type=int, default=400)
    parser.add_argument("--store", default="")
    options = parser.parse_args(list(words))
    scratch.set_up()
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"  # playwright keeps an event loop in this thread
    from django.conf import settings

    from bihuan.registry import clock

    with tempfile.TemporaryDirectory(prefix="bihuan-bench-") as home, scratch.database("bench_investigator"):
        settings.BIHUAN_HOME, settings.ALLOWED_HOSTS = Path(home), ["*"]
        contacts_done.fill_store(Path(home) / "visits", options)
        with clock.frozen(contacts_done.NOW):
            case = _town(options.names)
            walked = _walk(case, options.names)
            return loop_city.shown({"bench": "investigator", **walked, **_proof(case)})


def _town(names: int) -> str:
    """A county with an investigator, and a case who met so many people of all its communities."""
    from bihuan.registry import posts, scope
    from bihuan.registry.actions import organizations
    from bihuan.registry.actor import Actor
    from bihuan.registry.territory import children
    from bihuan.tracing import visits
    from bihuan.tracing.actions.places import PlaceInput, register_places

    system = Actor.system("bench")
    with scope.system():
        loop_city.build(1)
        post = next(p for p in posts.of_territory(COUNTY) if p.function == "cdc_investigation")
        organizations.create_account(
            username="bench", password=PASSWORD, display_name="流调员", post_ids=(post.id,), actor=system
        )
        communities = [c.code for street in children(COUNTY) for c in children(street.code)]
        case = contacts_done.case_who_met(names, communities, actor=system)
        store = visits.open_store()
        assert store is not None
        places = [
            PlaceInput(f"{i + 1} 号商店", communities[i % len(communities)], kind="shop", store_id=name)
            for i, name in enumerate(store.places.ids[:2000])
        ]
        register_places(places, actor=system)
    return str(case.public_id)


class _Hand:
    """A page, and what a person would have done to it."""

    def __init__(self, page: Any) -> None:
        self.page, self.done, self.machine = page, Counter[str](), 0.0
        self.begun = 0.0

    def think(self) -> None:
        self.done["think"] += 1

    def click(self, where: Any) -> None:
        """Point and press; what comes of it is waited for, on the machine's account."""
        self.done.update(("point", "button"))
        with self.waiting():
            where.click()
            self.page.wait_for_load_state("load")

    def choose(self, where: Any, value: str) -> None:
        """Open a list and take an entry of it."""
        self.done.update(("point", "button", "point", "button"))
        with self.waiting():
            where.select_option(value)
            self.page.wait_for_load_state("load")

    def type(self, where: Any, text: str, keys: int) -> None:
        self.done.update({"point": 1, "button": 1, "hand": 2, "key": keys})
        where.fill(text)

    def read(self, lines: int) -> None:
        self.done["fixation"] += FIXATIONS * lines

    def waiting(self) -> Any:
        return self

    def __enter__(self) -> None:
        self.begun = time.perf_counter()

    def __exit__(self, *_error: object) -> None:
        self.machine += time.perf_counter() - self.begun

    def seconds(self) -> float:
        return sum(SECONDS[name] * n for name, n in self.done.items())


def _walk(case: str, names: int) -> dict[str, Any]:
    from django.test.testcases import LiveServerThread

    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))
    from chromium import find
    from django.contrib.staticfiles.handlers import StaticFilesHandler
    from playwright.sync_api import sync_playwright

    server = LiveServerThread("127.0.0.1", StaticFilesHandler, connections_override={})
    server.daemon = True
    server.start()
    server.is_ready.wait()
    if server.error:
        raise server.error
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=find(), args=_ARGUMENTS)
            page = browser.new_context(
                base_url=f"http://127.0.0.1:{server.port}", locale="zh-CN",
                viewport={"width": 1280, "height": 800},
            ).new_page()  # fmt: skip
            page.goto("/accounts/login/")
            page.get_by_label("用户名").fill("bench")
            page.get_by_label("密码", exact=True).fill(PASSWORD)
            page.get_by_role("button", name="登录").click()
            page.wait_for_url(lambda url: "login" not in url)
            page.goto(f"/cases/{case}/")
            found = _decided(page, names)
            browser.close()
            return found
    finally:
        server.terminate()


def _decided(page: Any, names: int) -> dict[str, Any]:
    """What an investigator does from the page of the case on."""
    hand, rounds, decided = _Hand(page), 0, 0
    hand.think()
    hand.click(page.get_by_role("link", name="开始流调"))
    hand.click(page.get_by_role("button", name="开始流调"))
    hand.think()
    hand.click(page.locator("a[href*='/investigations/'][href$='/contacts/']").first)
    hand.think()
    hand.click(page.locator(".prop-look button"))
    with hand.waiting():
        page.locator("tr[data-row]").first.wait_for(timeout=60_000)
    while decided < names:
        options = page.locator("#f-place option").evaluate_all("all => all.map(one => one.value)")
        if len(options) < 2:
            break
        hand.think()
        hand.choose(page.locator("#f-place"), options[1])
        with hand.waiting():
            page.wait_for_url(lambda url, place=options[1]: f"place={place}" in url)
            page.locator("tr[data-row]").first.wait_for()
        lines = page.locator("tr[data-row]").count()
        hand.read(lines)
        hand.think()
        hand.click(page.locator("[data-select-all]"))
        hand.think()
        hand.choose(page.locator("#bulk-criterion"), "other")
        hand.type(page.locator("#bulk-reason"), REASON, REASON_KEYS)
        hand.click(page.get_by_role("button", name="判定为密接"))
        with hand.waiting():
            page.get_by_text("已判定密接").first.wait_for(timeout=60_000)
        rounds, decided = rounds + 1, decided + lines
        page.goto(page.url.split("?")[0])
    person = hand.seconds()
    return {
        "machine": loop_city.machine(), "decided": decided, "rounds": rounds,
        "operators": dict(hand.done), "person_seconds": round(person, 1),
        "machine_seconds": round(hand.machine, 2), "together_seconds": round(person + hand.machine, 1),
        "bar_seconds": contacts_done.BAR_SECONDS,
    }  # fmt: skip


def _proof(case: str) -> dict[str, Any]:
    """Whether each contact owes at her own street, and says why; and that nobody is in limbo."""
    from bihuan.loops.models import Duty
    from bihuan.loops.queries import check
    from bihuan.registry import scope
    from bihuan.registry.models import Post
    from bihuan.tracing import visits
    from bihuan.tracing.models import Contact, ContactProposal

    with scope.system():
        contacts = list(Contact.objects.filter(case__public_id=case).select_related("person"))
        live = {c.public_id: c.person.territory_code for c in contacts}
        posts = dict(Post.objects.values_list("id", "territory_code"))
        duties = Duty.objects.filter(loop__subject_ref__in=live, state=0)
        owners = [
            (live[ref], posts[post]) for ref, post in duties.values_list("loop__subject_ref", "owner_post_id")
        ]
        told = ContactProposal.objects.filter(investigation__case__public_id=case, state="confirmed")
        store = visits.open_store()
        assert store is not None
        return {
            "events": store.stats().stays, "contacts": len(live), "duties": len(owners),
            "duties_at_her_place": sum(home.startswith(owner) for home, owner in owners),
            "streets": len({home[:9] for home in live.values()}),
            "say_why": told.exclude(reason="").exclude(encounters=[]).count(), "loops_hold": check().holds,
        }  # fmt: skip
