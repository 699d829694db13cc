"""Files through the API: from sending one to its ledger; and files that are broken, huge, binary or bombs."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection

from bihuan.doors.exchange import jobs, run
from bihuan.doors.exchange.limits import LIMITS
from bihuan.doors.exchange.models import ImportJob
from bihuan.registry import clock, scope
from bihuan.registry.rls import DOOR_ROLE
from tests.cast import COUNTY, NEXT_COUNTY, Cast
from tests.doors.api_room import Api, api_of, partner_token
from tests.doors.authorization_room import state_of
from tests.rooms.care_room import assert_holds, local

pytestmark = pytest.mark.django_db

LIST = """编号,姓名,性别,年龄,发病日期,确诊日期
A-1,尉迟明珠,女,50,2020-02-10,2020-02-13
A-2,=cmd|'/c calc'!A1,男,30,2020-02-11,2020-02-13
A-3,陈三,女,41,2020-13-40,2020-02-13
"""


@pytest.fixture
def officer(cast: Cast, tmp_path: Path, settings: Any) -> Iterator[Api]:
    settings.BIHUAN_HOME = tmp_path
    made = api_of(cast.officer)
    settings.DATABASE_ROLE = "door"
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL ROLE {DOOR_ROLE}")
    with clock.frozen(local("02-14 12:00")):
        yield made


def send(api: Api, content: bytes | str, name: str = "名单.csv", **more: Any) -> Any:
    raw = content.encode() if isinstance(content, str) else content
    headers = {key: more.pop(key) for key in list(more) if key == "Idempotency_Key"}
    return api.send("/imports", {"file": SimpleUploadedFile(name, raw), **more}, **headers)


def kept_files() -> list[Path]:
    return list(jobs.uploads().iterdir())


def work(job: str) -> None:
    """What the worker does, as the owner."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL ROLE NONE")
        run.run(job)
        cursor.execute(f"SET LOCAL ROLE {DOOR_ROLE}")


def test_a_file_goes_from_being_sent_to_its_ledger(officer):
    made = send(officer, LIST, territory=COUNTY, as_of="2020-02-14")
    assert made.status_code == 201, made.content.decode()
    job = made.json()["id"]
    guessed = officer.get(f"/imports/{job}/mapping").json()
    assert guessed["guessed"]
    assert "case.date_onset" in guessed["mapping"]
    chosen = guessed["mapping"] + "\n"
    if "constants" not in chosen:
        chosen += "constants: {case.classification: confirmed}\n"
    put = officer.put(f"/imports/{job}/mapping", {"mapping": chosen, "territory": COUNTY})
    assert put.status_code == 200, put.content.decode()
    rows = officer.get(f"/imports/{job}/preview").json()["rows"]
    assert [row["line"] for row in rows] == [2, 3, 4]
    assert rows[2]["findings"][0]["column"] == "发病日期"
    started = officer.post(f"/imports/{job}/start")
    assert started.status_code == 202, started.content.decode()
    assert officer.post(f"/imports/{job}/start").status_code == 409
    work(job)
    told = officer.get(f"/imports/{job}").json()
    assert told["state"] == "done"
    assert told["rows"] == told["accepted"] + told["duplicate"] + told["rejected"] == 3
    ledger = officer.get(f"/imports/{job}/ledger").json()["items"]
    assert [row["line"] for row in ledger] == [2, 3, 4]
    accepted = [row["subject"] for row in ledger if row["status"] == "accepted"]
    assert officer.get(f"/cases/{accepted[0]}").json()["case"]["local_id"] == "A-1"
    assert [j["id"] for j in officer.get("/imports").json()["items"]] == [job]
    assert_holds()


def test_the_same_file_sent_with_the_same_key_makes_one_import(officer):
    first = send(officer, LIST, Idempotency_Key="f-1")
    again = send(officer, LIST, Idempotency_Key="f-1")
    assert first.json()["id"] == again.json()["id"]
    assert send(officer, LIST + "A-4,王五,男,1,,\n", Idempotency_Key="f-1").status_code == 409
    assert len(kept_files()) == 1


def test_an_import_of_another_county_is_not_found_and_its_territory_not_taken(officer, cast):
    job = send(officer, LIST).json()["id"]
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL ROLE NONE")
    neighbor = api_of(cast.neighbor)
    for path in ("", "/mapping", "/preview", "/ledger"):
        assert neighbor.get(f"/imports/{job}{path}").status_code == 404
    assert neighbor.post(f"/imports/{job}/start").status_code == 404
    assert send(officer, LIST, territory=NEXT_COUNTY).status_code == 403


def test_a_partner_system_sees_only_the_files_it_sent(officer, cast):
    job = send(officer, LIST).json()["id"]
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL ROLE NONE")
    partner = Api(partner_token(cast.officer))
    assert partner.get(f"/imports/{job}/preview").status_code == 404
    assert partner.get("/imports").json()["items"] == []
    mine = send(partner, LIST).json()["id"]
    assert partner.get(f"/imports/{mine}/preview").status_code == 200


def test_a_mapping_that_is_none_is_refused_with_its_lines(officer):
    job = send(officer, LIST).json()["id"]
    for text in (
        "",
        "{",
        "- a\n- b",
        "mapping: x\nkind: linelist\ncolumns: {没有: {field: case.local_id}}\n",
        "!!python/object:os.x {}",
    ):
        answer = officer.put(f"/imports/{job}/mapping", {"mapping": text})
        assert answer.status_code == 422, text
        assert answer.json()["errors"], text
    assert officer.post(f"/imports/{job}/start").status_code == 409


# --- files that are none ------------------------------------------------------------------------------


def packed(entries: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as book:
        for name, content in entries.items():
            book.writestr(name, content)
    return out.getvalue()


TYPES = b'<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>'


def bomb() -> bytes:
    """70 MB of nothing in 70 kB, shaped like a workbook."""
    return packed(
        {
            "[Content_Types].xml": TYPES,
            "xl/workbook.xml": b"<workbook/>",
            "xl/worksheets/sheet1.xml": b" " * 70_000_000,
        }
    )


BROKEN = {
    "empty": ("a.csv", b""),
    "only blanks": ("a.csv", b"   \n \n\n"),
    "binary": ("a.csv", bytes(range(256)) * 400),
    "nul bytes": ("a.csv", b"a,b\n\x00,\x00\n" * 50),
    "a program": ("a.csv", b"\x7fELF\x02\x01\x01" + b"\x00" * 5000),
    "a picture": ("a.csv", b"\x89PNG\r\n\x1a\n" + b"\x00\x01\x02" * 3000),
    "a zip that is no workbook": ("a.xlsx", packed({"a.txt": b"hello"})),
    "half a workbook": ("a.xlsx", packed({"[Content_Types].xml": TYPES})[:60]),
    "a workbook without sheets": (
        "a.xlsx",
        packed({"[Content_Types].xml": TYPES, "xl/workbook.xml": b"<workbook/>"}),
    ),
    "an old workbook that is none": ("a.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\x00" * 600),
    "a bomb": ("a.xlsx", bomb()),
    "a zip of many": ("a.xlsx", packed({f"xl/{n}.xml": b"" for n in range(6000)})),
    "entities that grow": (
        "a.xlsx",
        packed(
            {
                "[Content_Types].xml": TYPES,
                "xl/workbook.xml": b'<!DOCTYPE x [<!ENTITY a "aaaa">]><workbook>&a;</workbook>',
            }
        ),
    ),
    "a way out of the folder": ("a.xlsx", packed({"../../etc/passwd": b"x", "[Content_Types].xml": TYPES})),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_file_that_cannot_be_read_is_a_clear_problem_and_changes_nothing(officer, what, settings):
    name, content = BROKEN[what]
    before = state_of("42")
    answer = send(officer, content, name)
    assert answer.status_code == 422, answer.content.decode()
    assert answer["Content-Type"] == "application/problem+json"
    [error] = answer.json()["errors"]
    assert error["field"] == "file"
    assert error["message"].startswith(name), "by the name it was sent under"
    assert error["hint"], "the way out"
    assert str(settings.BIHUAN_HOME) not in answer.content.decode()
    assert kept_files() == []
    assert state_of("42") == before


def test_a_file_that_is_too_large_is_refused_before_it_is_kept(officer, monkeypatch):
    monkeypatch.setattr(jobs, "LIMITS", replace(LIMITS, file_bytes=2**20))
    answer = send(officer, LIST + "x" * 2**21)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["rule"] == "file.size"
    assert kept_files() == []


def test_a_body_larger_than_any_file_may_be_is_not_even_read(officer, monkeypatch):
    from bihuan.doors.api import service

    monkeypatch.setattr(service, "LIMITS", replace(LIMITS, file_bytes=1000))
    monkeypatch.setattr(service, "_AROUND_FILE", 100)
    answer = send(officer, LIST * 100)
    assert answer.status_code == 413
    assert answer["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "a\x00.csv", "名" * 400 + ".csv", "", ".csv", "C:\\x\\y.csv", "<b>.csv"]
)
def test_a_name_of_a_file_leads_nowhere(officer, name):
    answer = send(officer, LIST, name or "x.csv")
    assert answer.status_code in (201, 400, 422), answer.content.decode()
    for path in kept_files():
        assert path.parent == jobs.uploads()
        assert path.name.startswith("J-")


def test_formulas_of_a_file_are_text_and_leave_as_text(officer):
    formula = "=1+2"
    good = "".join(f"A-{n},陈三,2020-02-1{n},2020-02-13\n" for n in range(3))
    rows = f"编号,姓名,发病日期,确诊日期\nA-9,陈三,{formula},2020-02-13\n{good}"
    job = send(officer, rows, territory=COUNTY, as_of="2020-02-14").json()["id"]
    mapping = officer.get(f"/imports/{job}/mapping").json()["mapping"]
    assert (
        officer.put(f"/imports/{job}/mapping", {"mapping": mapping, "territory": COUNTY}).status_code == 200
    )
    assert officer.get(f"/imports/{job}/preview").json()["rows"][0]["cells"][2] == formula
    officer.post(f"/imports/{job}/start")
    work(job)
    with scope.system():
        text = "".join(jobs.ledger_csv(ImportJob.objects.get(public_id=job)))
    cells = [cell for line in csv.reader(io.StringIO(text.removeprefix("\ufeff"))) for cell in line]
    assert any(formula in cell for cell in cells), text
    assert not [cell for cell in cells if cell.startswith(("=", "+", "@", "\t"))]


def test_a_form_that_lacks_its_file_or_says_nonsense_is_refused(officer):
    assert officer.send("/imports", {"kind": "linelist"}).status_code == 422
    assert send(officer, LIST, kind="secret").status_code == 422
    assert send(officer, LIST, as_of="someday").status_code == 422
    assert officer.post("/imports", {"file": "x"}).status_code == 422
    raw = officer.client.post(
        "/api/v1/imports",
        b"--x\r\nbroken",
        content_type="multipart/form-data; boundary=y",
        headers=officer._headers({}),
    )
    assert raw.status_code in (400, 422)
    assert raw["Content-Type"] == "application/problem+json"
    none = officer.client.post(
        "/api/v1/imports", b"abc", content_type="multipart/form-data", headers=officer._headers({})
    )
    assert none.status_code in (400, 422)
    assert none["Content-Type"] == "application/problem+json"
