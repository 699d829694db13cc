"""Lists of contacts: the same person named for several cases is one contact, wherever a chunk ends."""

from __future__ import annotations

from datetime import date

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from bihuan.care.models import Order
from bihuan.doors.exchange import run
from bihuan.doors.exchange.models import ImportedRow
from bihuan.loops.models import Loop
from bihuan.loops.queries import check
from bihuan.registry import clock, scope
from bihuan.tracing.actions.namings import sources_of
from bihuan.tracing.models import Contact, Exposure
from tests.doors.import_room import HEADER, LATER, MAP, bring, findings, load_trees, make
from tests.doors.test_import_jobs import card

CONTACTS = """mapping: county-contacts
kind: contacts
list: county-2020
dates: {era: {from: 2019-12-01, to: 2020-12-31}}
territory: {constant: "420303"}
columns:
  编号: {field: contact.local_id}
  病例: {field: contact.case_id}
  姓名: {field: person.name}
  身份证号: {field: person.id_number}
  末次接触: {field: contact.date_last_exposure}
  观察开始: {field: contact.date_follow_up_start}
  观察结束: {field: contact.date_follow_up_end}
  状态: {field: contact.final_status, values: {完成: completed, 观察中: ongoing}}
constants: {contact.approver: 张湾区指挥部}
required: [contact.case_id]
"""
CONTACT_HEADER = "编号,病例,姓名,身份证号,末次接触,观察开始,观察结束,状态\n"
CASES = [f"{n},病例{n},,男,40,2020-02-0{n},2020-02-0{n},普通型," for n in (1, 2, 3)]


@pytest.fixture
def listed(db, tmp_path):
    load_trees()
    path = tmp_path / "cases.csv"
    path.write_text(HEADER + "".join(f"{row}\n" for row in CASES), encoding="utf-8")
    bring(path, MAP)


def rows(*told: str, folder, name: str = "contacts.csv"):
    path = folder / name
    path.write_text(CONTACT_HEADER + "".join(f"{row}\n" for row in told), encoding="utf-8")
    return path


def standing():
    """What there is: contacts with what decides, further exposures, loops, orders with their last day."""
    with scope.system():
        return (
            sorted(
                Contact.objects.values_list("person__name", "exposure_last", "status"), key=lambda r: str(r)
            ),
            sorted(Exposure.objects.values_list("contact__person__name", "last"), key=lambda r: str(r)),
            Loop.objects.filter(definition="contact").count(),
            sorted(Order.objects.values_list("person__name", "last_day")),
        )


def two_cases(serial: int = 1, *, first: str = ",,", second: str = ",,") -> list[str]:
    who = f"周小明{serial},{card(serial)}"
    return [f"k{serial}a,1,{who},2020-02-10,{first}", f"k{serial}b,2,{who},2020-02-12,{second}"]


def test_a_person_listed_for_two_cases_is_one_contact_with_one_loop(listed, tmp_path):
    job, counts = bring(rows(*two_cases(), folder=tmp_path), CONTACTS)
    assert counts.as_dict() == {"rows": 2, "accepted": 2, "revised": 0, "duplicate": 0, "rejected": 0}
    assert [(line, rule) for line, _s, rule, _c in findings(job)] == [(3, "contact.joined")]
    with scope.system():
        contact = Contact.objects.get()
        assert len(sources_of([contact])[contact.pk]) == 2
        assert Exposure.objects.get().criterion
        assert Loop.objects.filter(definition="contact").count() == 1
        assert set(ImportedRow.objects.filter(kind="contacts").values_list("subject_id", flat=True)) == {
            contact.public_id
        }
        assert check().violations == []
    assert (contact.exposure_last, contact.own_last) == (date(2020, 2, 12), date(2020, 2, 10))


def test_the_same_file_twice_and_another_list_naming_the_same_change_nothing(listed, tmp_path):
    path = rows(*two_cases(), folder=tmp_path)
    bring(path, CONTACTS)
    before = standing()
    _job, counts = bring(path, CONTACTS)
    assert (counts.accepted, counts.duplicate) == (0, 2)
    other = rows(*(row.replace("k1", "x") for row in two_cases()), folder=tmp_path, name="other.csv")
    _job, counts = bring(other, CONTACTS)
    assert (counts.accepted, counts.duplicate) == (0, 2)
    assert standing() == before


@pytest.mark.parametrize(
    "told",
    [
        two_cases(),
        two_cases(first="2020-02-11,2020-02-24,观察中", second="2020-02-13,2020-02-26,观察中"),
        two_cases(first="2020-02-11,2020-02-24,完成", second="2020-02-13,2020-02-26,完成"),
        two_cases(first="2020-02-11,2020-02-24,观察中", second="2020-02-13,2020-02-26,完成"),
        [row for n in range(4) for row in two_cases(n, second="2020-02-13,2020-02-26,观察中")],
    ],
)
def test_it_does_not_matter_where_a_chunk_ends(listed, tmp_path, told):
    found = []
    for chunk in (1, 2, 100):
        with transaction.atomic(), clock.frozen(LATER):
            job = make(rows(*told, folder=tmp_path), CONTACTS)
            run.run(job.public_id, chunk=chunk)
            found.append(standing())
            with scope.system():
                assert check().violations == []
            transaction.set_rollback(True)
    assert found[0] == found[1] == found[2]


def test_an_import_killed_between_its_chunks_goes_on_without_a_second_contact(listed, tmp_path, monkeypatch):
    told = two_cases()
    whole = rows(*told, folder=tmp_path)

    class KilledError(BaseException):
        pass

    def kill(counts: run.Counts) -> None:
        raise KilledError

    with clock.frozen(LATER):
        job = make(whole, CONTACTS)
        with pytest.raises(KilledError):
            run.run(job.public_id, chunk=1, progress=kill)
        counts = run.run(job.public_id, chunk=1)
    assert (counts.rows, counts.accepted) == (2, 2)
    with scope.system():
        assert (Contact.objects.count(), Exposure.objects.count()) == (1, 1)


def test_a_running_order_is_not_lengthened_by_a_list_but_somebody_is_to_decide(listed, tmp_path):
    told = two_cases(first="2020-02-11,2020-02-24,观察中", second="2020-02-13,2020-02-26,观察中")
    job, _counts = bring(rows(*told, folder=tmp_path), CONTACTS)
    assert [rule for _l, _s, rule, _c in findings(job)] == ["contact.joined", "follow.runs"]
    with scope.system():
        order = Order.objects.get()
    assert order.last_day == date(2020, 2, 24)


def test_whoever_was_released_by_then_is_a_new_contact(listed, tmp_path):
    told = two_cases(first="2020-02-11,2020-02-24,完成")
    bring(rows(*told, folder=tmp_path), CONTACTS)
    with scope.system():
        assert sorted(Contact.objects.values_list("status", flat=True)) == ["confirmed", "released"]


def test_merging_takes_no_statement_a_row(listed, tmp_path):
    counted = []
    for start, many in ((0, 5), (100, 40)):
        first = [two_cases(start + n)[0] for n in range(many)]
        bring(rows(*first, folder=tmp_path, name=f"a{start}.csv"), CONTACTS)
        second = [two_cases(start + n)[1] for n in range(many)]
        path = rows(*second, folder=tmp_path, name=f"b{start}.csv")
        with CaptureQueriesContext(connection) as seen:
            _job, counts = bring(path, CONTACTS)
        assert counts.accepted == many
        counted.append(len([q for q in seen if "tracing_" in (q["sql"] or "")]))
    assert counted[0] == counted[1]
