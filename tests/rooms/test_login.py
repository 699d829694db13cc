"""Logging in, being locked out, second factor, and the scope that every request runs in."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, hotp_value, yield_hotp_counters_from_time
from django.conf import settings
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from bihuan.registry import clock, posts, scope
from bihuan.registry.actions import organizations
from bihuan.registry.actions.glass import break_glass
from bihuan.registry.actor import Actor
from bihuan.registry.errors import Conflict, Invalid
from bihuan.registry.models import Account, Household
from tests.cast import COUNTY, NEXT_COUNTY, PASSWORD, STREET, Cast

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.rooms.login_urls")]
SYSTEM = Actor.system("test", door="test")


@pytest.fixture(autouse=True)
def _fresh_counters() -> None:
    cache.clear()


@pytest.fixture
def officer(cast: Cast) -> Account:
    account = cast.officer.account
    account.set_password(PASSWORD)
    account.save()
    with scope.system():
        Household.objects.create(address="ours", territory_code=STREET)
        Household.objects.create(address="theirs", territory_code=NEXT_COUNTY)
    return account


def log_in(client: Client, username: str = "officer", password: str = PASSWORD) -> Any:
    return client.post("/accounts/login/", {"login": username, "password": password})


def test_who_logs_in_acts_in_her_post_and_the_database_knows(
    client: Client, officer: Account, cast: Cast
) -> None:
    assert log_in(client).status_code == 302
    seen = client.get("/who/").json()
    assert seen["post"] == cast.officer.post.id
    assert seen["actor"] == officer.pk
    assert (seen["lo"], seen["database_lo"]) == (COUNTY, COUNTY)
    assert seen["seen"] == ["ours"]


def test_who_is_not_logged_in_sees_nothing(client: Client, officer: Account) -> None:
    seen = client.get("/who/").json()
    assert (seen["post"], seen["lo"], seen["database_lo"], seen["seen"]) == (None, None, None, [])


def test_an_account_without_a_post_sees_nothing(client: Client, officer: Account, cast: Cast) -> None:
    client.force_login(cast.stranger, backend="allauth.account.auth_backends.AuthenticationBackend")
    seen = client.get("/who/").json()
    assert (seen["post"], seen["seen"]) == (None, [])


def test_a_wrong_password_does_not_log_in(client: Client, officer: Account) -> None:
    assert log_in(client, password="wrong").status_code == 200
    assert client.get("/who/").json()["actor"] is None


def test_five_failures_lock_the_name_out_from_this_address_even_with_the_right_password(
    client: Client, officer: Account
) -> None:
    for _attempt in range(settings.AXES_FAILURE_LIMIT - 1):
        assert log_in(client, password="wrong").status_code == 200
    locked = log_in(client, password="wrong")
    assert locked.status_code == 429
    assert int(locked["Retry-After"]) == 900
    assert log_in(client).status_code == 429
    assert client.get("/who/").json()["actor"] is None


def test_a_lockout_does_not_touch_another_name_nor_another_address(
    client: Client, officer: Account, cast: Cast
) -> None:
    for _attempt in range(settings.AXES_FAILURE_LIMIT):
        log_in(client, password="wrong")
    cast.city.account.set_password(PASSWORD)
    cast.city.account.save()
    assert log_in(client, "city").status_code == 302
    elsewhere = Client(REMOTE_ADDR="10.0.0.9")
    assert log_in(elsewhere).status_code == 302


def test_a_lockout_ends_by_itself(client: Client, officer: Account) -> None:
    from axes.models import AccessAttempt

    for _attempt in range(settings.AXES_FAILURE_LIMIT):
        log_in(client, password="wrong")
    AccessAttempt.objects.update(attempt_time=timezone.now() - timedelta(minutes=16))
    assert log_in(client).status_code == 302


def test_capitals_do_not_get_around_the_lockout(client: Client, officer: Account) -> None:
    for name in ("officer", "Officer", "OFFICER", "oFFicer", " officer"):
        log_in(client, name, "wrong")
    assert log_in(client).status_code == 429


def test_nobody_signs_up(client: Client, db: None) -> None:
    answer = client.post(
        "/accounts/signup/", {"username": "me", "password1": PASSWORD, "password2": PASSWORD}
    )
    assert answer.status_code in {200, 403}
    assert not Account.objects.filter(username="me").exists()


def test_passwords_are_kept_as_argon2(officer: Account) -> None:
    assert officer.password.startswith("argon2")


def test_a_password_that_is_easy_to_guess_is_refused(cast: Cast) -> None:
    for password in ("short", "1234567890", "password123", "newperson1"):
        with pytest.raises(Invalid), scope.system():
            organizations.create_account(username="newperson", password=password, actor=SYSTEM)
    with pytest.raises(Conflict), scope.system():
        organizations.create_account(username="officer", password=PASSWORD, actor=SYSTEM)


# --- which post ---


def test_one_switches_among_ones_own_posts_only(client: Client, officer: Account, cast: Cast) -> None:
    street = next(p for p in posts.of_territory(STREET) if p.function == "command")
    with scope.system():
        organizations.assign(account_id=officer.pk, post_id=street.id, actor=SYSTEM)
    log_in(client)
    client.get(f"/act/{street.id}/")
    assert client.get("/who/").json()["lo"] == STREET
    client.get(f"/act/{cast.neighbor.post.id}/")
    assert client.get("/who/").json()["lo"] == COUNTY


def test_a_post_taken_away_is_gone_with_the_next_request(
    client: Client, officer: Account, cast: Cast
) -> None:
    log_in(client)
    assert client.get("/who/").json()["lo"] == COUNTY
    held = posts.held_by(officer.pk)
    with scope.system():
        organizations.end_assignment(assignment_id=held[0].assignment_id, actor=SYSTEM)
    assert client.get("/who/").json()["lo"] is None


def test_a_disabled_account_is_out_with_the_next_request(client: Client, officer: Account) -> None:
    log_in(client)
    Account.objects.filter(pk=officer.pk).update(is_active=False)
    assert client.get("/who/").json()["actor"] is None


def test_a_broken_glass_is_looked_through_until_it_ends(client: Client, officer: Account, cast: Cast) -> None:
    with cast.officer.acting():
        opened = break_glass(
            territory_code=NEXT_COUNTY,
            reason="transfer across the county line",
            actor=cast.officer.actor,
            minutes=30,
        )
    log_in(client)
    client.get(f"/look/{opened.public_id}/")
    seen = client.get("/who/").json()
    assert (seen["lo"], seen["opened"], seen["seen"]) == (NEXT_COUNTY, opened.public_id, ["theirs"])
    with clock.frozen(clock.now() + timedelta(minutes=31)):
        seen = client.get("/who/").json()
    assert (seen["lo"], seen["opened"], seen["seen"]) == (COUNTY, None, ["ours"])


# --- the transaction of a request ---


def test_a_request_that_fails_leaves_nothing_half_done(client: Client, officer: Account) -> None:
    log_in(client)
    client.raise_request_exception = False
    assert client.get("/fail/").status_code == 500
    with scope.system():
        assert not Household.objects.filter(address="half done").exists()


def test_an_answer_that_streams_is_produced_in_the_scope(client: Client, officer: Account) -> None:
    log_in(client)
    answer = client.get("/stream/")
    assert b"".join(answer.streaming_content) == b"ours\n"
    assert scope.current() is None


def test_the_language_of_the_account_is_spoken_unless_another_was_chosen(
    client: Client, officer: Account
) -> None:
    Account.objects.filter(pk=officer.pk).update(language="en")
    log_in(client)
    assert client.get("/who/").json()["language"] == "en"
    client.cookies[settings.LANGUAGE_COOKIE_NAME] = "zh-hans"
    assert client.get("/who/").json()["language"] == "zh-hans"


# --- the second factor ---


def _set_up_totp(account: Account) -> str:
    secret = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
    TOTP.activate(account, secret)
    return secret


def _code(secret: str) -> str:
    return format_hotp_value(hotp_value(secret, next(iter(yield_hotp_counters_from_time()))))


def test_who_has_a_second_factor_is_asked_for_it(client: Client, officer: Account) -> None:
    secret = _set_up_totp(officer)
    answer = log_in(client)
    assert answer["Location"].startswith("/accounts/2fa/authenticate/")
    assert client.get("/who/").json()["actor"] is None
    assert client.post("/accounts/2fa/authenticate/", {"code": "000000"}).status_code == 200
    assert client.get("/who/").json()["actor"] is None
    client.post("/accounts/2fa/authenticate/", {"code": _code(secret)})
    assert client.get("/who/").json()["actor"] == officer.pk


def test_the_secret_of_a_second_factor_is_not_kept_in_the_clear(officer: Account) -> None:
    secret = _set_up_totp(officer)
    kept = Authenticator.objects.get(user=officer)
    assert secret not in str(kept.data)
    assert kept.wrap().validate_code(_code(secret))


def test_in_production_a_role_that_asks_for_it_leads_to_setting_it_up(
    client: Client, officer: Account, settings: Any
) -> None:
    log_in(client)
    settings.BIHUAN_MODE = "production"
    answer = client.get("/who/")
    assert (answer.status_code, answer["Location"]) == (302, "/accounts/2fa/totp/activate/")
    assert client.get("/accounts/logout/").status_code == 200
    _set_up_totp(officer)
    assert client.get("/who/").status_code == 200


def test_a_role_that_does_not_ask_for_it_is_left_alone(client: Client, cast: Cast, settings: Any) -> None:
    settings.BIHUAN_MODE = "production"
    client.force_login(cast.grid.account, backend="allauth.account.auth_backends.AuthenticationBackend")
    assert client.get("/who/").status_code == 200
