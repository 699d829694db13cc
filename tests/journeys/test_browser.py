"""The browser and the served application find each other."""

from typing import Any


def test_a_page_of_the_application_opens_in_the_browser(page: Any) -> None:
    answer = page.goto("/healthz")
    assert answer.status == 200
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")


def test_a_phone_has_the_width_of_a_phone(phone: Any) -> None:
    phone.goto("/healthz")
    assert phone.evaluate("screen.width") == 390
