"""The four real lists beside the checkout, imported in place; skipped where they are not."""

from __future__ import annotations

import csv
import statistics
from collections import Counter
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from bihuan.care.models import DailyCheck, Order
from bihuan.cases.models import Case
from bihuan.cases.queries import five_intervals
from bihuan.doors.exchange.models import ImportedRow
from bihuan.epi.delays import delays, summarize
from bihuan.loops.models import Duty, Loop
from bihuan.loops.queries import check
from bihuan.registry import scope
from bihuan.registry.models import Person
from bihuan.tracing.models import CaseLink, Contact
from tests.doors.import_room import bring, findings, load_trees

TIANJIN, MERS = "linelist_tianjin_2020", "linelist_mers_korea_2015"
GUATEMALA, CHINA = "linelist_guatemala_followup_2020", "linelist_china_trajectories"


@pytest.fixture
def lists(db, shared):
    """Finds a list, or skips saying which is not there."""
    load_trees()

    def find(folder: str, name: str) -> Path:
        path = shared / "data" / folder / name
        if not path.is_file():
            pytest.skip(f"{folder}/{name} is not among the input data")
        return path

    return find


def raw(path):
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def day(text):
    return date.fromisoformat(text) if text else None


def numbers():
    with scope.system():
        return [model.unscoped.count() for model in (Person, Case, CaseLink, Contact, Order, ImportedRow)] + [
            Loop.objects.count(),
            Duty.objects.count(),
        ]


def twice(path, rows, accepted):
    """Import twice: the first takes `accepted` of `rows`, the second changes nothing at all."""
    job, counts = bring(path)
    assert (counts.rows, counts.accepted, counts.duplicate) == (rows, accepted, 0)
    assert counts.rejected == rows - accepted
    before = numbers()
    _again, second = bring(path)
    assert (second.rows, second.accepted, second.duplicate) == (rows, 0, accepted)
    assert second.rejected == rows - accepted
    assert numbers() == before
    return job


def direct(path, start, end):
    """The median delay straight from the file."""
    known = [(day(r[end]) - day(r[start])).days for r in raw(path) if r[start] and r[end]]
    return statistics.median(known), len(known)


def stored(start, end, **which):
    with scope.system():
        pairs = list(Case.objects.filter(**which).values_list(start, end))
    found = summarize(delays([a for a, _b in pairs], [b for _a, b in pairs]))
    return found.median, found.n


def test_tianjin_comes_in_whole_with_its_links(lists):
    path, links = lists(TIANJIN, "linelist.csv"), lists(TIANJIN, "contacts.csv")
    twice(path, 135, 135)
    twice(links, 91, 91)
    with scope.system():
        assert CaseLink.objects.count() == 91
        assert Contact.objects.count() == 0
        assert Case.objects.filter(outcome="died").count() == 3
        assert Case.objects.filter(date_onset__isnull=True).count() == 10
        assert Counter(Case.objects.values_list("territory_code", flat=True)) == {"12": 135}
        assert Counter(Case.objects.values_list("severity", flat=True)) == {
            "moderate": 102,
            "severe": 25,
            "mild": 1,
            "unknown": 7,
        }
        case = Case.objects.get(local_id="TJ5")
        assert case.found_at == datetime(2020, 1, 22, 16, tzinfo=UTC)  # midnight of the 23rd in China
        assert check().violations == []
    assert direct(path, "symptom_onset", "confirm_date") == stored("date_onset", "date_confirmation")


def test_tianjin_as_of_a_day_knows_nothing_later(lists):
    path = lists(TIANJIN, "linelist.csv")
    known = sum(r["confirm_date"] <= "2020-02-05" for r in raw(path))
    job, counts = bring(path, as_of=date(2020, 2, 5))
    assert (counts.rows, counts.accepted, counts.rejected) == (135, known, 135 - known)
    rules = {rule for _l, status, rule, _c in findings(job) if status == "rejected"}
    assert rules == {"date.later", "dates.not_yet"}
    with scope.system():
        assert Case.objects.filter(outcome="died").count() == 1
        assert not Case.objects.filter(date_confirmation__gt=date(2020, 2, 5)).exists()
    _job, later = bring(path)
    assert (later.accepted, later.rejected) == (135 - known + 2, 0)  # two of the known have died since
    assert later.revised == 2
    with scope.system():
        assert Case.objects.count() == 135


def test_mers_comes_in_whole_with_its_links(lists):
    path, links = lists(MERS, "linelist.csv"), lists(MERS, "contacts.csv")
    twice(path, 162, 162)
    twice(links, 98, 98)
    with scope.system():
        assert Case.objects.filter(outcome="died").count() == 19
        assert Case.objects.filter(origin="imported").count() == 1
        assert set(Case.objects.values_list("territory_code", "disease")) == {("KR", "mers")}
        kinds = Counter(CaseLink.objects.values_list("kind", flat=True))
        assert kinds == {"hospital_visit": 89, "care": 8, "household": 1}
        # midnight of the day in Korea, not in China
        assert Case.objects.get(local_id="SK_2").found_at == datetime(2015, 5, 19, 15, tzinfo=UTC)
        assert check().violations == []
    for start, end, a, b in (
        ("dt_onset", "dt_report", "date_onset", "date_report"),
        ("dt_onset", "dt_diag", "date_onset", "date_confirmation"),
        ("dt_onset", "dt_death", "date_onset", "date_outcome"),
    ):
        assert direct(path, start, end) == stored(a, b)


def test_the_five_intervals_of_a_list_are_those_of_the_file(lists):
    path = lists(MERS, "linelist.csv")
    bring(path)
    with scope.system():
        rows = {row.key: row for row in five_intervals("KR")}
    median, n = direct(path, "dt_onset", "dt_report")
    assert (rows["reported"].all.median, rows["reported"].all.n) == (median, n)
    assert rows["reported"].all.missing == 162 - n
    assert (rows["diagnosed"].all.median, rows["diagnosed"].all.n) == direct(path, "dt_onset", "dt_diag")
    assert rows["treated"].all.n == 0
    assert rows["treated"].all.missing_share == 1.0


def test_guatemala_comes_in_with_its_contacts_and_what_the_list_proves(lists):
    path, contacts = lists(GUATEMALA, "cases.csv"), lists(GUATEMALA, "contacts.csv")
    job = twice(path, 8827, 8827)
    assert [f[2] for f in findings(job)] == ["date.era", "dates.none"]
    with scope.system():
        assert Counter(Case.objects.values_list("classification", flat=True)) == {
            "suspected": 6768,
            "confirmed": 1851,
            "clinically_diagnosed": 62,
            "probable": 6,
            "discarded": 140,
        }
    job = twice(contacts, 1382, 1382)
    with scope.system():
        assert Counter(Contact.objects.values_list("status", flat=True)) == {
            "released": 863,  # 866 completed; three do not say when the observation began
            "lost": 344,
            "confirmed": 175,
        }
        assert Order.objects.count() == 1379
        assert DailyCheck.objects.count() == 0  # none is in the list, none is invented
        sample = Contact.objects.get(local_id="GTC0001")
        order = Order.objects.get(contact=sample)
        assert (order.first_day, order.last_day) == (date(2020, 9, 9), date(2020, 9, 22))
        assert sample.confirmed_at == datetime(2020, 9, 8, 6, tzinfo=UTC)  # midnight in Guatemala
        assert Loop.objects.filter(definition="contact", state=0).count() == 175
        assert check().violations == []
    told = Counter(rule for _l, _s, rule, _c in findings(job))
    assert told == {"contact.case_unnamed": 67, "contact.unclear": 10, "contact.no_start": 3, "date.era": 1}


def test_the_bulletins_of_china_come_in_with_their_dirt_flagged(lists):
    path = lists(CHINA, "cases.csv")
    macao = sum(r["province"] == "澳门特别行政区" for r in raw(path))
    job = twice(path, 3559, 3559 - macao)
    told = Counter((status, rule) for _l, status, rule, _c in findings(job))
    assert told["rejected", "territory.unknown"] == macao == 10
    assert told["accepted", "dates.none"] == 299
    assert told["accepted", "dates.order"] == 5
    with scope.system():
        assert Case.objects.get(local_id="shandong-532000002").territory_code == "370213"
        assert check().violations == []
    kept = [r for r in raw(path) if r["province"] != "澳门特别行政区"]
    gaps = [
        (day(r["confirm_date"]) - day(r["onset_date"])).days
        for r in kept
        if r["confirm_date"] and r["onset_date"]
    ]
    assert stored("date_onset", "date_confirmation") == (statistics.median(gaps), len(gaps))
    _links, counts = bring(lists(CHINA, "links.csv"))
    assert counts.rows == 1017 == counts.accepted + counts.duplicate + counts.rejected
    assert counts.accepted == 1013
