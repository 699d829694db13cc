"""Investigations through the API: from opening to closing, and the same gate in front of who was where."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bihuan.registry import clock, scope
from bihuan.tracing.models import VisitLook
from tests.cast import Cast, make_cast
from tests.doors.api_room import Api, token_for
from tests.rooms.care_room import local
from tests.rooms.investigation_room import CASE, UNKNOWN, ZHOU, a_case, market, registered, visited

NOW = local("02-12 18:00")


@pytest.fixture
def cast(db: Any, settings: Any, tmp_path: Path) -> Cast:
    settings.BIHUAN_HOME = tmp_path
    with clock.frozen(local("02-01 08:00")):
        made = make_cast()
        with made.officer.acting():
            market(made.officer)
        registered("周小明", ZHOU)
    visited(
        [
            (CASE, "market", "02-10 09:00", 60),
            (ZHOU, "market", "02-10 09:30", 30),
            (UNKNOWN, "market", "02-10 09:40", None),
        ]
    )
    return made


def test_from_opening_to_closing(cast: Cast) -> None:
    case = a_case(cast.officer)
    api = Api(token_for(cast.officer))
    with clock.frozen(NOW):
        made = api.post("/investigations", {"case": case.public_id, "purpose": "contacts"})
        assert made.status_code == 201
        at = f"/investigations/{made.json()['id']}"
        draft = api.post(f"{at}/draft", {"purpose": "track"}).json()
        assert (draft["state"], draft["added"]) == ("found", 1)
        refused = api.post(f"{at}/close", {})
        assert refused.status_code == 422
        assert "2020-02-10, 2020-02-11, 2020-02-12" in refused.content.decode()
        entry = api.get(at).json()["entries"][0]
        assert (entry["certainty"], entry["record"]) == ("unconfirmed", True)
        assert (
            api.post(f"{at}/entries/judge", {"entries": [entry["id"]], "certainty": "confirmed"}).json()["n"]
            == 1
        )
        told = {"entries": [{"day": "2020-02-11", "end_day": "2020-02-12", "setting": "home"}]}
        assert api.post(f"{at}/entries", told).status_code == 201
        whole = api.get(at).json()
        assert whole["missing"] == []
        assert [day["told"] for day in whole["days"]] == [True, True, True]
        closed = api.post(f"{at}/close", {"summary": "x"})
        assert (closed.status_code, closed.json()["clock"]) == (200, "done")
        assert api.post(f"{at}/looks/met", {"purpose": "again"}).status_code == 409
        assert (
            api.get("/investigations", {"status": "closed"}).json()["items"][0]["id"]
            == whole["investigation"]["id"]
        )


def test_whom_the_case_met_masked_and_noted(cast: Cast) -> None:
    case = a_case(cast.officer)
    api = Api(token_for(cast.officer))
    with clock.frozen(NOW):
        made = api.post("/investigations", {"case": case.public_id, "purpose": "x"}).json()
        at = f"/investigations/{made['id']}"
        found = api.post(f"{at}/looks/met", {"purpose": "contacts", "margin": 0}).json()
        assert found["total"] == 2
        first, second = found["items"]
        assert (first["person"]["name"], first["minutes"]) == ("周*明", 30)
        assert (second["person"], second["county"]) == (None, "")
        assert first["meetings"][0]["place"]["name"] == "张湾市场"
        assert api.post(f"{at}/looks/met", {"purpose": ""}).status_code == 422
        stranger = Api(token_for(cast.neighbor))
        assert stranger.post(f"{at}/looks/met", {"purpose": "contacts"}).status_code == 404
        assert Api(token_for(cast.command)).post(f"{at}/looks/met", {"purpose": "x"}).status_code == 403
    with scope.system():
        assert [look.kind for look in VisitLook.objects.all()] == ["met"]
