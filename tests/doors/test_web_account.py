"""The pages of one's own account: a forgotten password, the second step, recovery codes."""

from __future__ import annotations

import re
import time

import pytest
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from django.test import Client
from django.urls import reverse

from tests import cast as people

LOGIN = "/accounts/login/"


@pytest.fixture
def officer(cast) -> Client:
    """Logged in, and the password said once more for what changes how to log in."""
    account = cast.officer.account
    account.set_password(people.PASSWORD)
    account.save()
    client = Client()
    answer = client.post(LOGIN, {"login": account.username, "password": people.PASSWORD})
    assert answer.status_code == 302
    client.post(reverse("account_reauthenticate"), {"password": people.PASSWORD})
    return client


def text(answer) -> str:
    assert answer.status_code == 200
    return answer.content.decode()


def set_up(client: Client):
    """Turn the second step on with the figures an app would show."""
    page = text(client.get(reverse("mfa_activate_totp")))
    secret = re.search(r'class="secret">([A-Z2-7]+)<', page)[1]
    code = format_hotp_value(hotp_value(secret, int(time.time()) // 30))
    return client.post(reverse("mfa_activate_totp"), {"code": code}, follow=True)


def test_without_mail_the_log_in_page_says_who_sets_a_new_password(db, settings):
    settings.BIHUAN_MAIL_URL = ""
    page = text(Client().get(LOGIN))
    assert "忘记密码？请系统管理员重设。" in page
    assert reverse("account_reset_password") not in page
    english = text(Client(headers={"accept-language": "en"}).get(LOGIN))
    assert "Forgot the password? Your administrator sets a new one." in english


def test_with_mail_the_log_in_page_leads_to_a_new_password(db, settings):
    settings.BIHUAN_MAIL_URL = "smtp://mail.example:25"
    page = text(Client().get(LOGIN))
    assert f'href="{reverse("account_reset_password")}"' in page
    assert "请系统管理员重设" not in page


def test_without_mail_nobody_is_asked_for_a_mail_address(db, settings):
    settings.BIHUAN_MAIL_URL = ""
    page = text(Client().get(reverse("account_reset_password")))
    assert 'name="email"' not in page
    settings.BIHUAN_MAIL_URL = "smtp://mail.example:25"
    assert 'name="email"' in text(Client().get(reverse("account_reset_password")))


def test_a_second_step_is_set_up_by_a_picture_or_a_secret_and_asked_for_from_then_on(officer, cast):
    answer = set_up(officer)
    assert answer.status_code == 200
    assert "已开启" in text(officer.get(reverse("mfa_index")))
    fresh = Client()
    account = cast.officer.account
    asked = fresh.post(LOGIN, {"login": account.username, "password": people.PASSWORD})
    assert asked["Location"].startswith(reverse("mfa_authenticate"))


def test_wrong_figures_are_said_at_the_field_and_nothing_is_turned_on(officer):
    officer.get(reverse("mfa_activate_totp"))
    page = text(officer.post(reverse("mfa_activate_totp"), {"code": "000000"}))
    assert '<p class="error">' in page
    assert "未开启" in text(officer.get(reverse("mfa_index")))


def test_recovery_codes_are_shown_to_be_written_down(officer):
    set_up(officer)
    page = text(officer.get(reverse("mfa_view_recovery_codes")))
    assert len(re.findall(r"<li><code>", page)) == 10


@pytest.mark.parametrize(
    "name", ["mfa_index", "mfa_activate_totp", "account_change_password"], ids=lambda name: name
)
def test_account_pages_are_dressed_by_the_house_in_both_languages(officer, name):
    assert "Two-Factor" not in text(officer.get(reverse(name)))
    officer.post(reverse("set_language"), {"language": "en"})
    page = text(officer.get(reverse(name)))
    body = re.search(r'<main id="content".*?</main>', page, re.S)[0]
    assert not re.search(r"[\u4e00-\u9fff]", body)
    assert "card" in body
