"""Health, metrics and the headers every answer carries."""

import pytest
from django.test import Client

pytestmark = pytest.mark.django_db


@pytest.fixture
def client() -> Client:
    return Client()


def test_it_is_alive_without_asking_the_database(client: Client, django_assert_num_queries) -> None:
    with django_assert_num_queries(0):
        assert client.get("/healthz").json()["status"] == "ok"


def test_it_is_ready_when_the_database_answers_and_is_migrated(client: Client) -> None:
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["missing"]) == (200, [])


def test_it_is_not_ready_when_the_database_refuses(client: Client, monkeypatch) -> None:
    from django.db import OperationalError, connection

    def refuse() -> None:
        raise OperationalError("gone")

    monkeypatch.setattr(connection, "ensure_connection", refuse)
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["missing"]) == (503, ["database"])


def test_metrics_count_by_route_and_never_by_address(client: Client) -> None:
    client.get("/no-such-page/420302199001011234")
    client.get("/healthz")
    text = client.get("/metrics").content.decode()
    assert 'bihuan_requests_total{method="GET",route="healthz",status="200"}' in text
    assert "420302199001011234" not in text


@pytest.mark.parametrize("headers", [{"REMOTE_ADDR": "192.0.2.7"}, {"HTTP_X_FORWARDED_FOR": "192.0.2.7"}])
def test_metrics_refuse_other_machines(client: Client, headers: dict) -> None:
    assert client.get("/metrics", **headers).status_code == 403


def test_metrics_answer_to_the_bearer_of_the_token(client: Client, monkeypatch) -> None:
    monkeypatch.setenv("BIHUAN_METRICS_TOKEN", "a-long-token")
    assert client.get("/metrics").status_code == 403
    assert client.get("/metrics", HTTP_AUTHORIZATION="Bearer a-long-token").status_code == 200


def test_every_answer_allows_nothing_inline_and_nothing_from_elsewhere(client: Client) -> None:
    policy = client.get("/healthz").headers["Content-Security-Policy"]
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
