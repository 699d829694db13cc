"""A gate's camera: it reads the code that a person shows, in any browser; without one, typing goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import qrcode  # type: ignore[import-untyped]
from playwright.sync_api import expect

from bihuan.epi.visits import VisitStore
from bihuan.registry import clock
from bihuan.tracing import visits
from bihuan.tracing.actions.record_visits import ready_store
from bihuan.tracing.rules import codes
from tests.journeys.conftest import ARGUMENTS
from tests.journeys.test_gate import ID_NUMBER, gate, kept, pass_by, settle
from tests.journeys.test_web import log_in, town

__all__ = ["gate", "town"]
WIDTH, HEIGHT = 640, 480
DEVICE, ALLOW = "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"
Open = Callable[..., Any]


def film(path: Path, text: str) -> Path:
    """A camera's view of a code: small, turned, off the middle, gray and grainy (Y4M, 4:2:0)."""
    drawn = qrcode.QRCode(border=4)
    drawn.add_data(text)
    modules = np.pad(~np.array(drawn.get_matrix()), 1, constant_values=True)
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(float)
    turn, size = np.radians(14), 6.5
    right, down = (x - 360) / size, (y - 210) / size
    column = np.floor(right * np.cos(turn) + down * np.sin(turn) + len(modules) / 2)
    row = np.floor(down * np.cos(turn) - right * np.sin(turn) + len(modules) / 2)
    inside = (row >= 0) & (row < len(modules)) & (column >= 0) & (column < len(modules))
    bright = modules[np.where(inside, row, 0).astype(int), np.where(inside, column, 0).astype(int)]
    grain = np.random.default_rng(1)
    with path.open("wb") as out:
        out.write(f"YUV4MPEG2 W{WIDTH} H{HEIGHT} F10:1 Ip A1:1 C420\n".encode())
        for _frame in range(3):
            gray = np.where(inside, 60 + 140 * bright, 110) + grain.normal(0, 8, (HEIGHT, WIDTH))
            out.write(b"FRAME\n" + gray.clip(0, 255).astype(np.uint8).tobytes())
            out.write(bytes([128]) * (WIDTH * HEIGHT // 2))
    return path


@pytest.fixture
def with_camera(browser: Any, live: str, tmp_path: Path) -> Iterator[Open]:
    """Opens a phone whose browser was started with these arguments, its camera showing a code."""
    from chromium import find

    opened: list[Any] = []

    def open_phone(*arguments: str, shows: str = "") -> Any:
        more = [*arguments]
        if shows:
            more.append(f"--use-file-for-fake-video-capture={film(tmp_path / 'camera.y4m', shows)}")
        own = browser.browser_type.launch(executable_path=find(), args=[*ARGUMENTS, *more])
        opened.append(own)
        context = own.new_context(
            base_url=live, locale="zh-CN", timezone_id="Asia/Shanghai", has_touch=True, is_mobile=True,
            viewport={"width": 390, "height": 844},
        )  # fmt: skip
        return context.new_page()

    yield open_phone
    for one in opened:
        one.close()


def a_code() -> tuple[int, str]:
    """Somebody's keyed number, and her entry code of today."""
    key = ready_store()[1]
    number = visits.unsigned(visits.number_of(ID_NUMBER, with_key=key))
    return number, codes.issue(number, key=key, on=clock.today())


def scan(phone: Any) -> None:
    phone.click("#gate-camera")


def numbers(home: Path) -> list[int]:
    store = VisitStore(home / "visits")
    found: list[int] = []
    for segment in store.segments():
        stays = store.stays_of(segment)
        found += store.people.keys[stays.person].tolist()
    return found


def test_the_camera_reads_an_entry_code_without_a_network_too(
    with_camera: Open, gate: str, tmp_path: Path
) -> None:
    number, code = a_code()
    phone = with_camera(DEVICE, ALLOW, shows=code)
    log_in(phone, "grid")
    kept(phone, gate)
    for offline in (False, True):
        phone.context.set_offline(offline)
        if offline:
            phone.reload()
            phone.wait_for_selector("html[data-ready=yes]", state="attached")
        scan(phone)
        expect(phone.locator("#who")).to_have_value(code)
        expect(phone.locator("#gate-video")).to_be_hidden()
        expect(phone.locator("#temperature")).to_be_focused()
        pass_by(phone, code)
        expect(phone.locator("#gate-said")).to_contain_text("已登记")
    phone.context.set_offline(False)
    settle(phone, 2)
    assert set(numbers(tmp_path)) == {number}


def test_a_browser_with_a_detector_of_its_own_loads_none(with_camera: Open, gate: str) -> None:
    phone = with_camera(DEVICE, ALLOW)
    asked: list[str] = []
    phone.on("request", lambda request: asked.append(request.url))
    phone.add_init_script(
        """window.BarcodeDetector = class {
            static async getSupportedFormats() { return ["qr_code", "ean_13"]; }
            constructor({ formats }) { if (formats.join() !== "qr_code") throw new TypeError(); }
            async detect() { return [{ rawValue: "13871234567" }]; }
        }"""
    )
    log_in(phone, "grid")
    kept(phone, gate)
    scan(phone)
    expect(phone.locator("#who")).to_have_value("13871234567")
    phone.wait_for_load_state("networkidle")
    assert not [url for url in asked if "qr-reader" in url]


def test_a_detector_that_fails_is_replaced(with_camera: Open, gate: str) -> None:
    phone = with_camera(DEVICE, ALLOW, shows=ID_NUMBER)
    phone.add_init_script(
        """window.BarcodeDetector = class {
            static async getSupportedFormats() { return ["qr_code"]; }
            async detect() { throw new DOMException("", "NotSupportedError"); }
        }"""
    )
    log_in(phone, "grid")
    kept(phone, gate)
    scan(phone)
    expect(phone.locator("#who")).to_have_value(ID_NUMBER)


def test_a_code_of_something_else_is_not_taken_and_the_camera_is_stopped_by_hand(
    with_camera: Open, gate: str
) -> None:
    phone = with_camera(DEVICE, ALLOW, shows="https://example.org/?id=1")
    log_in(phone, "grid")
    kept(phone, gate)
    scan(phone)
    expect(phone.locator("#gate-said")).to_contain_text("不是通行码")
    expect(phone.locator("#gate-video")).to_be_visible()
    phone.get_by_role("button", name="停止").click()
    expect(phone.locator("#gate-video")).to_be_hidden()
    expect(phone.locator("#who")).to_have_value("")


def test_stopped_while_the_browser_asks_for_leave_the_camera_goes_off_again(
    with_camera: Open, gate: str
) -> None:
    phone = with_camera(DEVICE, ALLOW)
    phone.add_init_script(
        """window.asked = new Promise((heard) => {
            navigator.mediaDevices.getUserMedia = async () => {
                const picture = document.createElement("canvas").captureStream();
                window.picture = picture.getTracks()[0];
                await new Promise((yes) => { window.allow = yes; heard(); });
                return picture;
            };
        });"""
    )
    log_in(phone, "grid")
    kept(phone, gate)
    before = phone.locator("#gate-camera").inner_text()
    scan(phone)
    phone.evaluate("window.asked")
    phone.get_by_role("button", name="停止").click()
    phone.evaluate("window.allow()")
    expect(phone.locator("#gate-camera")).to_have_text(before)
    expect(phone.locator("#gate-video")).to_be_hidden()
    assert phone.evaluate("window.picture.readyState") == "ended"


@pytest.mark.parametrize(("arguments", "said"), [((DEVICE,), "未获准使用摄像头"), ((ALLOW,), "未找到摄像头")])
def test_without_leave_or_without_a_camera_the_gate_says_so_and_typing_goes_on(
    with_camera: Open, gate: str, arguments: tuple[str, ...], said: str
) -> None:
    phone = with_camera(*arguments)
    log_in(phone, "grid")
    kept(phone, gate)
    scan(phone)
    expect(phone.locator("#gate-said")).to_contain_text(said)
    expect(phone.locator("#who")).to_be_focused()
    pass_by(phone, ID_NUMBER)
    settle(phone, 1)
