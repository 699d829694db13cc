"""Pictures of the demo, for the README and for looking at every page in every dress.

python scripts/screenshots.py                       the README's pictures, from a demo of its own
python scripts/screenshots.py --url http://127.0.0.1:8000   the same from a demo that runs already
python scripts/screenshots.py --all --into FOLDER    every page wide and narrow, light and dark, zh and en
python scripts/screenshots.py --only board --only person   only pages of these names

It logs in with the accounts of the demo and looks. The file it offers to the wizard is made up here and only
previewed; if no investigation is open, it opens one.
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from chromium import find

ROOT = Path(__file__).resolve().parent.parent
IMAGES = ROOT / "docs" / "images"
PASSWORD = "bihuan-2020"  # of every account of the demo; the demo prints it
LIMIT = 300_000  # bytes of a picture that is kept in the repository
READY_SECONDS = 300
WIDE, PHONE, WALL = (1400, 900), (390, 844), (1920, 1080)
LIST = (
    "病例编号,姓名,性别,年龄,发病日期,确诊日期,临床分型,住址\n"
    "ZW-0201,李静,女,41,2020-02-10,2020-02-13,普通型,张湾区花果街道\n"
    "ZW-0202,王建国,男,67,2020-02-08,2020-02-31,重型,张湾区红卫街道\n"
    "ZW-0203,陈晓,女,29,2002-02-11,2020-02-14,轻型,张湾区车城路街道\n"
    "ZW-0204,赵磊,男,38,2020-02-12,2020-02-15,普通,张湾区汉江路街道\n"
)


@dataclass(frozen=True)
class Shot:
    """One picture: `open` brings a page to what is to be seen."""

    name: str
    account: str
    open: Callable[[Any], None]
    size: tuple[int, int] = WIDE
    theme: str = "light"
    language: str = "zh-hans"
    whole: bool = False

    @property
    def file_name(self) -> str:
        return f"{self.name}.png"

    @property
    def is_phone(self) -> bool:
        return self.size[0] < 600


def at(address: str) -> Callable[[Any], None]:
    def open_it(page: Any) -> None:
        page.goto(address)

    return open_it


def first_late_person(page: Any) -> None:
    """The person whom the longest-standing late duty of the board is about."""
    page.goto("/board/")
    links = page.locator("a[href*='/people/P-']")
    page.goto(links.first.get_attribute("href") if links.count() else "/people/")


def first_loop(page: Any) -> None:
    first_late_person(page)
    link = page.locator("a[href*='/loops/L-']").first
    page.goto(link.get_attribute("href"))


def why(page: Any) -> None:
    page.goto("/duties/")
    page.locator("a[href*='/why/']").first.click()
    page.get_by_role("dialog").wait_for()


def import_columns(page: Any) -> None:
    page.goto("/import/")
    file = {"name": "确诊病例.csv", "mimeType": "text/csv", "buffer": LIST.encode()}
    page.set_input_files("input[type=file]", files=[file])
    page.wait_for_url("**/columns/")


def import_preview(page: Any) -> None:
    import_columns(page)
    page.locator("main form button.primary").last.click()
    page.wait_for_url("**/preview/")


def investigation(page: Any) -> None:
    """An investigation with its draft: the one that is open, else of the newest confirmed case. The only
    thing this script adds to a demo."""
    page.goto("/investigations/")
    known = page.locator("main a[href*='/investigations/I-']")
    if known.count():
        known.first.click()
        return
    page.goto("/cases/?classification=confirmed")
    page.locator("main table a[href*='C-'], main table a[href*='P-']").first.click()
    page.locator("a[href*='/investigations/of/']").first.click()
    page.locator("main form button.primary").first.click()
    page.wait_for_url(lambda found: "/investigations/I-" in found)
    page.locator("main form[action*='draft'] button").first.click()
    page.wait_for_load_state("networkidle")
    page.locator("main a[href*='/contacts/']").first.click()
    page.locator("main form button.primary").first.click()
    page.wait_for_load_state("networkidle")
    page.goto("/investigations/")
    known.first.click()


def contacts_met(page: Any) -> None:
    investigation(page)
    page.locator("main a[href*='/contacts/']").first.click()


def chains(page: Any) -> None:
    page.goto("/chains/")
    page.wait_for_timeout(800)  # the canvas is drawn after the document came


#: What the README and the other pages of docs show.
SHOWN = (
    Shot("board", "command", at("/board/")),
    Shot("board-dark", "command", at("/board/"), theme="dark"),
    Shot("board-en", "command", at("/board/"), language="en"),
    Shot("duties-phone", "community", at("/duties/"), PHONE),
    Shot("person", "cdc", first_late_person),
    Shot("import", "cdc", import_preview, (1400, 440)),
    Shot("investigation", "cdc", investigation, (1400, 1000)),
    Shot("chains", "cdc", chains, (1400, 900)),
)
#: Every page, for looking at them.
EVERY = (
    Shot("login", "", at("/accounts/login/")),
    Shot("board", "command", at("/board/")),
    Shot("board-city", "city", at("/board/")),
    Shot("board-back", "command", at("/board/?as_of=2020-02-05")),
    Shot("duties", "community", at("/duties/")),
    Shot("duties-supervisor", "command", at("/duties/all/?status=late")),
    Shot("why", "community", why),
    Shot("person", "cdc", first_late_person),
    Shot("loop", "cdc", first_loop),
    Shot("cases", "cdc", at("/cases/")),
    Shot("contacts", "cdc", at("/contacts/")),
    Shot("gap", "cdc", at("/gaps/isolate/")),
    Shot("clearance", "cdc", at("/clearance/")),
    Shot("import-start", "cdc", at("/import/")),
    Shot("import-columns", "cdc", import_columns),
    Shot("import-preview", "cdc", import_preview),
    Shot("investigations", "cdc", at("/investigations/")),
    Shot("investigation", "cdc", investigation),
    Shot("contacts-met", "cdc", contacts_met),
    Shot("indicators", "cdc", at("/contact-indicators/")),
    Shot("chains", "cdc", chains),
    Shot("chains-list", "cdc", at("/chains/list/")),
    Shot("clusters", "cdc", at("/clusters/")),
    Shot("assistance", "cdc", at("/assistance/")),
    Shot("places", "cdc", at("/places/")),
    Shot("gates", "community", at("/gate/")),
    Shot("visits", "admin", at("/visits/")),
    Shot("policy", "cdc", at("/policy/")),
    Shot("settings", "cdc", at("/settings/")),
    Shot("patterns", "cdc", at("/patterns/")),
)
#: Pages that are made for one screen only.
SPECIAL = (
    Shot("board-wall", "province", at("/board/?screen=wall"), WALL, theme="dark"),
    Shot("duties-phone", "grid", at("/duties/"), PHONE),
)


def every_dress(shots: tuple[Shot, ...]) -> Iterator[Shot]:
    """Each page wide and on a phone, light and dark, in Chinese and in English; whole pages."""
    for shot in shots:
        for size, width in ((WIDE, "wide"), (PHONE, "phone")):
            for theme in ("light", "dark"):
                for language, short in (("zh-hans", "zh"), ("en", "en")):
                    name = f"{shot.name}-{width}-{theme}-{short}"
                    yield replace(shot, name=name, size=size, theme=theme, language=language, whole=True)


# --- the browser --------------------------------------------------------------------------------------


def take(url: str, shots: list[Shot], into: Path) -> int:
    """Take the pictures; returns how many failed."""
    from playwright.sync_api import sync_playwright

    into.mkdir(parents=True, exist_ok=True)
    failed = 0
    logged_in: dict[str, Any] = {}
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"]
        browser = playwright.chromium.launch(executable_path=find(), args=arguments)
        for shot in shots:
            try:
                size = _take_one(browser, url, shot, into, logged_in)
            except Exception as error:  # one page that fails hides no other
                failed += 1
                print(f"✗ {shot.file_name}: {str(error).splitlines()[0]}", flush=True)
            else:
                print(f"✓ {shot.file_name:<36} {size // 1000:>5} kB", flush=True)
        browser.close()
    return failed


def _take_one(browser: Any, url: str, shot: Shot, into: Path, logged_in: dict[str, Any]) -> int:
    if shot.account and shot.account not in logged_in:
        logged_in[shot.account] = _log_in(browser, url, shot.account)
    context = browser.new_context(
        base_url=url,
        viewport={"width": shot.size[0], "height": shot.size[1]},
        locale="en-US" if shot.language == "en" else "zh-CN",
        timezone_id="Asia/Shanghai",
        is_mobile=shot.is_phone,
        has_touch=shot.is_phone,
        color_scheme="dark" if shot.theme == "dark" else "light",
        reduced_motion="reduce",
        storage_state=logged_in.get(shot.account),
    )
    choices = {"theme": shot.theme, "django_language": shot.language}
    context.add_cookies([{"name": name, "value": value, "url": url} for name, value in choices.items()])
    page = context.new_page()
    page.set_default_timeout(20_000)
    try:
        shot.open(page)
        page.wait_for_load_state("networkidle")
        path = into / shot.file_name
        page.screenshot(path=str(path), full_page=shot.whole)
        wide = page.evaluate("document.documentElement.scrollWidth")
        if wide > shot.size[0]:
            print(f"! {shot.file_name}: the page is {wide} px wide on a screen of {shot.size[0]}", flush=True)
    finally:
        context.close()
    return path.stat().st_size


def _log_in(browser: Any, url: str, account: str) -> Any:
    context = browser.new_context(base_url=url, locale="zh-CN")
    page = context.new_page()
    page.goto("/accounts/login/")
    page.locator("input[name=login]").fill(account)
    page.locator("input[name=password]").fill(PASSWORD)
    page.locator("form.form button").last.click()
    page.wait_for_url(lambda found: "login" not in found)
    state = context.storage_state()
    context.close()
    return state


# --- a demo of its own --------------------------------------------------------------------------------


@contextmanager
def own_demo() -> Iterator[str]:
    """A demo in a data folder that is thrown away; its address."""
    port = _free_port()
    url = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryDirectory(prefix="bihuan-pictures-") as folder:
        Path(folder).chmod(0o755)
        environment = {**os.environ, "BIHUAN_HOME": f"{folder}/home"}
        environment.pop("DATABASE_URL", None)
        words = [sys.executable, str(ROOT / "bihuan.py"), "demo", "--no-browser", "--port", str(port)]
        demo = subprocess.Popen(words, env=environment, start_new_session=True)
        try:
            _wait_until_ready(url, demo)
            yield url
        finally:
            demo.send_signal(signal.SIGINT)
            demo.wait(timeout=60)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_ready(url: str, demo: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + READY_SECONDS
    while time.monotonic() < until:
        if demo.poll() is not None:
            sys.exit("✗ The demo ended before it was ready.")
        try:
            with urllib.request.urlopen(f"{url}/readyz", timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.5)
    sys.exit(f"✗ The demo was not ready after {READY_SECONDS} s.")


def main() -> int:
    options = _arguments()
    shots = [*every_dress(EVERY), *SPECIAL] if options.all else list(SHOWN)
    if options.only:
        shots = [s for s in shots if any(s.name.startswith(name) for name in options.only)]
    into = Path(options.into) if options.into else IMAGES
    if options.url:
        failed = take(options.url.rstrip("/"), shots, into)
    else:
        with own_demo() as url:
            failed = take(url, shots, into)
    heavy = [p.name for p in sorted(IMAGES.glob("*.png")) if p.stat().st_size > LIMIT]
    if heavy:
        print(f"✗ over {LIMIT // 1000} kB: {', '.join(heavy)}")
    return 1 if failed or heavy else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--url", help="a demo that runs already; without it one is started and ended")
    parser.add_argument("--into", help="folder of the pictures (default: docs/images)")
    parser.add_argument("--all", action="store_true", help="every page in every dress, not the README's")
    parser.add_argument("--only", action="append", help="only pictures whose name starts so (repeatable)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
