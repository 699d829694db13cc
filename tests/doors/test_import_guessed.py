"""A list nobody has seen before: typing errors in years stand out; an address says where somebody lives."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bihuan.cases.models import Case
from bihuan.doors.exchange import run
from bihuan.doors.exchange.guess import guess
from bihuan.doors.exchange.models import ImportRow
from bihuan.doors.exchange.parse import Bad, check_date, split_address
from bihuan.doors.exchange.reader import open_table
from bihuan.registry import clock, scope
from tests.cast import COUNTY, Cast
from tests.doors.import_room import LATER, bring, make

HEADER = "病例编号,姓名,性别,年龄,发病日期,确诊日期,诊断分类,现住址\n"
DATES = ["2020-01-28", "2020/2/1", "2020年2月3日", "2020-02-05", "2020-02-07"]
NAMES = ["陈一诺", "林小满", "何书远", "郭若溪", "邓子墨", "许安然", "曹明轩"]


def row(n: int, onset: str, address: str = "") -> str:
    return f"{n},{NAMES[n % len(NAMES)]},女,{30 + n},{onset},,确诊病例,{address}\n"


def listed(folder: Path, onsets: list[str], addresses: list[str] | None = None) -> Path:
    path = folder / "病例.csv"
    given = addresses or [""] * len(onsets)
    rows = [row(n, onset, given[n]) for n, onset in enumerate(onsets)]
    path.write_text(HEADER + "".join(rows), encoding="utf-8")
    return path


@pytest.mark.parametrize("wrong", ["2002-02-04", "2200-02-04", "2012-02-04", "1920-02-04", "2202年2月4日"])
@pytest.mark.parametrize("many", [1, 20])
def test_a_mistyped_year_lies_outside_the_time_of_a_guessed_list(tmp_path: Path, wrong: str, many: int):
    how = guess(open_table(listed(tmp_path, [*(DATES * many), wrong]))).conventions(None)
    year = int(wrong[:4])
    with pytest.raises(Bad, match=r"date\.era"):
        check_date(date(year, 2, 4), how)
    for right in (date(2020, 1, 28), date(2019, 12, 8), date(2021, 1, 3)):
        assert check_date(right, how) == right


def test_a_list_over_many_years_keeps_them_all(tmp_path: Path):
    onsets = [f"{year}-03-0{n}" for year in range(2009, 2021) for n in (1, 5, 9)]
    how = guess(open_table(listed(tmp_path, onsets))).conventions(None)
    assert (how.era_from, how.era_to) == (date(2008, 1, 1), date(2021, 12, 31))


def test_years_that_come_after_the_first_pages_are_seen(tmp_path: Path):
    onsets = ["2018-03-01"] * 600 + ["2019-03-01"] * 300 + ["2020-03-01", "2021-03-01", "2022-03-01"]
    how = guess(open_table(listed(tmp_path, onsets))).conventions(None)
    assert how.era_to == date(2023, 12, 31)


def test_few_or_scattered_dates_say_nothing_about_the_time(tmp_path: Path):
    for onsets in (["2020-02-01", "2002-02-01"], ["1980-01-01", "1990-01-01", "2000-01-01", "2020-01-01"]):
        how = guess(open_table(listed(tmp_path, onsets))).conventions(None)
        assert how.era_to is None


@given(st.text(max_size=60))
def test_no_address_is_too_odd_to_be_split(text: str):
    assert all(part and len(part) <= 60 for part in split_address(text))


@pytest.mark.parametrize(
    ("address", "names"),
    [
        ("湖北省十堰市张湾区汉江路街道12号", ["湖北省", "十堰市", "张湾区", "汉江路街道"]),
        ("十堰市市中区红卫街道花果村3组", ["十堰市", "市中区", "红卫街道", "花果村"]),
        ("茅箭区五堰街办", ["茅箭区", "五堰街道"]),
        ("荆州市荆州区郢城镇", ["荆州市", "荆州区", "郢城镇"]),
        ("Zona 1, Ciudad de Guatemala", ["Zona 1", "Ciudad de Guatemala"]),
        ("", []),
    ],
)
def test_an_address_is_split_into_names_of_places(address: str, names: list[str]):
    assert split_address(address) == names


# --- imported ---------------------------------------------------------------------------------------


@pytest.fixture
def county(cast: Cast) -> Iterator[None]:
    with scope.system(), clock.frozen(LATER):
        yield


def imported(path: Path, given: str = COUNTY) -> Any:
    job = make(path, given=given)
    run.run(job.public_id)
    job.refresh_from_db()
    return job


def test_a_cell_with_a_mistyped_year_is_set_aside_and_named_in_the_ledger(county: None, tmp_path: Path):
    job = imported(listed(tmp_path, [*DATES, "2002-02-04", "2200-02-04"]))
    assert (job.n_rows, job.n_accepted) == (7, 7), [
        (r.number, r.status, r.findings) for r in job.rows.order_by("number")
    ]
    found = [
        (r.number, f) for r in job.rows.order_by("number") for f in r.findings if f["rule"] == "date.era"
    ]
    assert [(n, f["value"], f["how"]) for n, f in found] == [
        (6, "2002-02-04", "set_aside"), (7, "2200-02-04", "set_aside"),
    ]  # fmt: skip
    assert Case.objects.filter(date_onset__isnull=False).count() == 5


def test_an_address_finds_its_street_or_community_where_no_column_says_so(county: None, tmp_path: Path):
    from bihuan.registry.models import Territory

    street = Territory.objects.get(code="420303003")
    community = Territory.objects.get(code="420303003001")
    assert community.name.endswith("社区居民委员会")
    spoken = community.name.removesuffix("居民委员会")
    addresses = [
        f"湖北省十堰市张湾区{street.name}12号",
        f"张湾区{street.name}{community.name}3组",
        f"{street.name}",
        f"{spoken}5号楼",
        "东风大道8号",
        "十堰市茅箭区五堰街道",
    ]
    imported(listed(tmp_path, [*DATES, "2020-02-09"], addresses))
    placed = dict(Case.objects.values_list("local_id", "territory_code"))
    assert placed == {
        "0": street.code,
        "1": community.code,
        "2": street.code,
        "3": community.code,
        "4": COUNTY,
        "5": COUNTY,  # lives elsewhere, but is on this county's list: nobody is moved away by an address
    }


def test_codes_of_places_are_guessed_and_place_their_rows(tmp_path: Path, cast: Cast):
    path = tmp_path / "病例.csv"
    path.write_text(
        "病例编号,姓名,行政区划,发病日期\n"
        + "".join(f"{n},陈一诺,{COUNTY},2020-02-0{n}\n" for n in (1, 2, 3)),
        encoding="utf-8",
    )
    built = guess(open_table(path))
    assert [c.header for c in built.columns if c.fields == ("territory.code",)] == ["行政区划"]
    _job, counts = bring(path)
    assert (counts.accepted, counts.rejected) == (3, 0)
    with scope.system():
        assert {case.territory_code for case in Case.objects.all()} == {COUNTY}


def test_a_row_that_names_no_place_is_told_what_to_do(tmp_path: Path, cast: Cast):
    path = tmp_path / "病例.csv"
    path.write_text("病例编号,姓名,发病日期\n1,陈一诺,2020-02-01\n", encoding="utf-8")
    job, counts = bring(path)
    assert counts.rejected == 1
    with scope.system():
        [booked] = ImportRow.objects.filter(job_id=job.id)
    assert [found["rule"] for found in booked.findings] == ["territory.missing"]
