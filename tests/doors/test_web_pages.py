"""Pages answer whom they should and refuse whom they should."""

from __future__ import annotations

import re
from datetime import date

import pytest
from django.test import Client
from django.urls import reverse

from bihuan.policy import queries
from tests import cast as people


@pytest.fixture
def as_member():
    """A logged-in client of a member of the cast, or of an account."""

    def log_in(who) -> Client:
        client = Client()
        client.force_login(
            getattr(who, "account", who), backend="allauth.account.auth_backends.AuthenticationBackend"
        )
        return client

    return log_in


def test_who_is_not_logged_in_is_sent_to_the_log_in(db):
    answer = Client().get(reverse("web:my_duties"))
    assert answer.status_code == 302
    assert answer["Location"].startswith("/accounts/login/?next=/duties/")


def test_the_log_in_page_speaks_both_languages(db):
    assert "没有一个人落在两张桌子之间" in Client().get("/accounts/login/").content.decode()
    assert (
        "between two desks"
        in Client(headers={"accept-language": "en"}).get("/accounts/login/").content.decode()
    )


def test_an_account_without_a_post_sees_nothing_but_that(cast, as_member):
    answer = as_member(cast.stranger).get(reverse("web:board"))
    assert answer.status_code == 302
    assert answer["Location"] == reverse("web:no_post")


def test_who_lacks_the_right_is_refused_with_the_reason(cast, as_member):
    answer = as_member(cast.grid).get(reverse("web:importing"))
    assert answer.status_code == 403
    assert "import.run" in answer.content.decode()


def test_the_menu_offers_only_what_the_post_may_open(cast, as_member):
    page = as_member(cast.grid).get(reverse("web:settings")).content.decode()
    assert reverse("web:my_duties") in page
    assert reverse("web:importing") not in page


def test_the_theme_is_kept_in_a_cookie_and_drawn_by_the_server(db):
    client = Client()
    client.post(reverse("web:theme"), {"theme": "dark", "next": "/accounts/login/"})
    assert 'data-theme="dark"' in client.get("/accounts/login/").content.decode()


def test_a_form_leads_back_to_our_own_pages_only(db):
    answer = Client().post(reverse("web:theme"), {"theme": "dark", "next": "https://elsewhere.example/"})
    assert answer["Location"] == "/"


def test_rules_in_force_are_told_in_sentences_with_layer_and_clause(cast, as_member):
    page = as_member(cast.officer).get(reverse("web:policy"), {"on": "2020-02-17"}).content.decode()
    assert "hubei-2020-02" in page
    assert "网络直报" in page


def test_the_same_rule_said_elsewhere_names_its_own_layer(cast, as_member):
    client = as_member(cast.officer)
    page = client.get(reverse("web:policy_value", args=["clocks.report_hours"]), {"on": "2020-02-17"})
    assert page.status_code == 200
    assert "clocks.report_hours" in page.content.decode()


def test_an_unknown_rule_is_not_found_and_names_the_nearest(cast, as_member):
    page = as_member(cast.officer).get(reverse("web:policy_value", args=["clocks.reprot_hours"]))
    assert page.status_code == 404
    assert "clocks.report_hours" in page.content.decode()


def test_what_changed_between_two_days_is_listed(cast, as_member):
    client = as_member(cast.officer)
    page = client.get(
        reverse("web:policy_diff"), {"before": "2020-02-17", "on": "2020-06-01"}
    ).content.decode()
    assert "hubei-2020-05" in page


def test_breaking_the_glass_needs_a_reason_and_is_shown_there(cast, as_member):
    client = as_member(cast.officer)
    refused = client.post(reverse("web:glass"), {"territory_code": "420302", "reason": "x"})
    if refused.status_code == 403:
        pytest.skip("the role may not break the glass")
    assert refused.status_code == 422
    client.post(reverse("web:glass"), {"territory_code": "420302", "reason": "接触者跨区转运，需立即核对"})
    assert "接触者跨区转运" in as_member(cast.neighbor).get(reverse("web:glass_breaks")).content.decode()


def test_what_changed_between_two_packs_is_listed_by_their_ids(cast, as_member):
    client = as_member(cast.officer)
    page = client.get(
        reverse("web:policy_diff"), {"a": "hubei-2020-02", "b": "hubei-2020-05"}
    ).content.decode()
    assert "arrival.isolation_days" in page
    assert "2020-05" in page
    changed = {row.key for row in queries.diff("hubei-2020-02", "hubei-2020-05")}
    assert set(re.findall(r"<code>([a-z_]+\.[a-z_]+)</code>", page)) == changed


def test_two_packs_that_are_the_same_say_so(cast, as_member):
    client = as_member(cast.officer)
    page = client.get(
        reverse("web:policy_diff"), {"a": "hubei-2020-02", "b": "hubei-2020-02"}
    ).content.decode()
    assert "这两个方案没有不同" in page


def test_an_unknown_pack_is_named_with_the_nearest_and_the_other_stays_chosen(cast, as_member):
    client = as_member(cast.officer)
    answer = client.get(reverse("web:policy_diff"), {"a": "hubei-2020-02", "b": "hubei-2020-06"})
    page = answer.content.decode()
    assert answer.status_code == 404
    assert "hubei-2020-05" in page
    assert '<option value="hubei-2020-02" selected' in page


def test_rules_stand_in_chapters_that_fold_and_leave_none_out(cast, as_member):
    page = as_member(cast.officer).get(reverse("web:policy"), {"on": "2020-02-17"}).content.decode()
    assert 4 <= page.count('<details class="card folds"') <= 6
    listed = set(re.findall(r'href="/policy/value/([^/]+)/', page))
    assert listed == {row.key for row in queries.rules_in_force(people.COUNTY, date(2020, 2, 17))}


def test_a_search_that_finds_few_rules_shows_them_unfolded(cast, as_member):
    client = as_member(cast.officer)
    page = client.get(reverse("web:policy"), {"on": "2020-02-17", "q": "report_hours"}).content.decode()
    assert re.search(r"<details class=\"card folds\" data-open-wide open>", page)


def test_a_definition_in_the_rule_language_is_told_as_a_sentence(cast, as_member):
    client = as_member(cast.officer)
    page = client.get(reverse("web:policy_value", args=["case.suspected"]), {"on": "2020-02-17"})
    assert page.status_code == 200
    assert "流行病学史" in page.content.decode()
