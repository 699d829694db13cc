"""A real browser and a served application for the journeys.

`page`  a fresh page (playwright, sync) of a fresh browser context, its base address the live server's
`phone` the same at 390 px, with touch
`live`  the address of the application, served by pytest-django's live server on the test database

A console error or a failed request of the page itself fails the journey. What a journey waits for may be slow
on a busy machine: waits are long, and the database is emptied only when the last request was answered.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.signals import request_finished, request_started

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))

ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
]
LANGUAGE = "zh-CN"
TIMEOUT_MS = 60_000


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.journey)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    from chromium import find
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=TIMEOUT_MS)
    found = find()
    if found is None:
        if os.environ.get("CI", "").lower() in ("1", "true"):
            pytest.fail("No Chromium was found; in CI the journeys must run.")
        pytest.skip("no Chromium on this machine; `python3 bihuan.py test` installs one")
    # Playwright keeps an event loop running in this thread, by which Django takes it for asynchronous.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def live(live_server: Any, transactional_db: None) -> Iterator[str]:
    begun: set[object] = set()

    def begin(environ: dict[str, Any], **_more: object) -> None:
        begun.add(threading.get_ident())

    def end(**_more: object) -> None:
        begun.discard(threading.get_ident())

    request_started.connect(begin)
    request_finished.connect(end)
    yield str(live_server.url)
    until = time.monotonic() + TIMEOUT_MS / 1000
    while begun and time.monotonic() < until:
        time.sleep(0.02)
    request_started.disconnect(begin)
    request_finished.disconnect(end)


@pytest.fixture
def page(browser: Any, live: str) -> Iterator[Any]:
    yield from _page(browser, live, viewport={"width": 1280, "height": 800})


@pytest.fixture
def phone(browser: Any, live: str) -> Iterator[Any]:
    yield from _page(browser, live, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)


def _is_wrong(said: Any) -> bool:
    return said.type == "error" and not said.location["url"].endswith("/favicon.ico")


def _page(browser: Any, live: str, **how: Any) -> Iterator[Any]:
    context = browser.new_context(base_url=live, locale=LANGUAGE, timezone_id="Asia/Shanghai", **how)
    context.set_default_timeout(TIMEOUT_MS)
    page = context.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(f"page error: {error}"))
    page.on("console", lambda said: wrong.append(f"console: {said.text}") if _is_wrong(said) else None)
    page.on("response", lambda got: wrong.append(f"{got.status} {got.url}") if got.status >= 500 else None)
    yield page
    context.close()
    assert not wrong, "\n".join(wrong)
