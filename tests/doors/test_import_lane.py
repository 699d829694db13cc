"""An import whose writes run behind stores what one that waits for each of its statements stores."""

from __future__ import annotations

from contextlib import nullcontext

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bihuan.cases.models import Case, CaseRevision
from bihuan.doors.exchange import run
from bihuan.doors.exchange.models import ImportedRow
from bihuan.loops.models import Duty, LogEvent, Loop
from bihuan.loops.queries import check
from bihuan.loops.rules.words import RETRACTED
from bihuan.registry import bulk, clock, scope
from bihuan.registry.models import DuplicateDecision, Person
from bihuan.tracing.models import Contact
from tests.doors.import_room import HEADER, LATER, MAP, findings, load_trees, make
from tests.doors.test_import_jobs import card

NUMBERS = [card(n) for n in range(101, 105)]


@pytest.fixture
def trees(db):
    load_trees()


def rows() -> st.SearchStrategy[list[str]]:
    """Rows as lists hold them: the same identifier or person twice, cells nobody can read, nothing at all."""
    cell = st.one_of
    row = st.tuples(
        cell(st.integers(1, 12).map(str), st.just(""), st.just("A\\1")),
        st.sampled_from(["", "张三", "李四", "王五", "欧阳 娜娜", "?", "John O'Neil"]),
        st.sampled_from(["", "", *NUMBERS, NUMBERS[0][:-1] + "0"]),
        st.sampled_from(["男", "女", "", "x"]),
        st.sampled_from(["40", "8月", "300", ""]),
        st.sampled_from(["2020-01-20", "2020-01-21 13:30", "1月", "", "2019-01-01"]),
        st.sampled_from(["2020-01-25", "2020年1月26日", "2020-01-19", "2021-01-01", ""]),
        st.sampled_from(["普通型", "重型", "很重", ""]),
        st.sampled_from(["", "", "2020-02-10", "2020-01-01"]),
    )
    return st.lists(row.map(",".join), min_size=1, max_size=20)


def stored(job):
    """All that an import left, without numbers and names drawn at random."""
    with scope.system():
        people = {p.pk: p for p in Person.objects.all()}
        keys = dict(ImportedRow.unscoped.values_list("subject_id", "row_key"))

        def who(pk):
            p = people[pk]
            return (p.name, p.name_pinyin, p.name_tokens, p.sex, p.age_years, p.id_index, p.local_id)

        cases = [
            (keys.get(c["public_id"]), who(c["person_id"]), [repr(c[k]) for k in sorted(c) if k not in DRAWN])
            for c in Case.objects.values()
        ]
        loops = {
            x.id: (keys.get(x.subject_ref), x.definition, x.state, x.opened_at, x.closed_at, x.outcome)
            for x in Loop.objects.all()
        }
        duties = [
            (loops[d.loop_id], d.key, d.state, d.due_at, d.opened_at, d.ended_at, d.owner_post_id, d.evidence)
            for d in Duty.objects.all()
        ]
        told = [
            (e.kind, e.at, e.at_precision, e.recorded_at, e.actor, e.door, e.territory_code)
            + (() if e.kind == RETRACTED else (e.data,))  # it names an event by its number
            for e in LogEvent.objects.all()
        ]
        remembered = ImportedRow.unscoped.values_list("row_key", "content", "last_line")
        return {
            "people": sorted(map(repr, map(who, people))),
            "cases": sorted(map(repr, cases)),
            "loops": sorted(map(repr, loops.values())),
            "duties": sorted(map(repr, duties)),
            "events": sorted(map(repr, told)),
            "revisions": sorted(map(repr, CaseRevision.objects.values_list("field", "old", "new", "reason"))),
            "pairs": DuplicateDecision.objects.count(),
            "remembered": sorted(map(repr, remembered)),
            "ledger": findings(job),
            "violations": check().violations,
        }


DRAWN = {"id", "public_id", "person_id"}


def brought(paths, *, chunk, search):
    out = []
    for path in paths:
        job = make(path, MAP, look_for_duplicates=search)
        out.append(run.run(job.public_id, chunk=chunk))
        with scope.system():
            job.refresh_from_db()
    return out, stored(job)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(first=rows(), second=rows(), chunk=st.sampled_from([3, 30]), search=st.booleans())
def test_behind_or_one_by_one_the_same_is_stored(trees, tmp_path, monkeypatch, first, second, chunk, search):
    paths = []
    for n, lines in enumerate((first, second)):
        paths.append(tmp_path / f"{n}.csv")
        paths[-1].write_text(HEADER + "".join(f"{line}\n" for line in lines), encoding="utf-8")
    found = []
    for plainly in (True, False):
        with pytest.MonkeyPatch.context() as patch, transaction.atomic(), clock.frozen(LATER):
            # COPY also for these few, so that it is what is compared
            for module in ("bihuan.registry.actions.people", "bihuan.cases.actions.common"):
                patch.setattr(f"{module}._WORTH_COPY", 1)
            if plainly:
                patch.setattr(bulk, "lane", nullcontext)
                patch.setattr(bulk, "copies", lambda table: False)
            found.append(brought(paths, chunk=chunk, search=search))
            transaction.set_rollback(True)
    (counts, plain), (counts_behind, behind) = found
    assert counts == counts_behind
    assert [part for part in plain if plain[part] != behind[part]] == []
    assert plain["violations"] == []


def test_a_database_error_in_the_midst_keeps_the_chunks_before_it_and_the_job_resumes(
    transactional_db, tmp_path, monkeypatch
):
    from django.db import DatabaseError, connection

    load_trees()
    path = tmp_path / "cases.csv"
    lines = (f"{n},,,男,{20 + n % 50},2020-01-20,2020-01-25,普通型," for n in range(60))
    path.write_text(HEADER + "".join(f"{line}\n" for line in lines), encoding="utf-8")
    job = make(path, MAP)
    plain = bulk.put

    def breaking(table, columns, given):
        if table == "loops_duty" and Case.unscoped.count() >= 40:
            given = [*given, given[0]]  # the same duty twice
        plain(table, columns, given)

    with clock.frozen(LATER):
        with monkeypatch.context() as patch:
            patch.setattr(bulk, "put", breaking)
            with pytest.raises(DatabaseError):
                run.run(job.public_id, chunk=20)
        with scope.system():
            assert Case.objects.count() == Person.objects.count() == 20
        counts = run.run(job.public_id, chunk=20)
    assert (counts.rows, counts.accepted) == (60, 60)
    with scope.system():
        assert Case.objects.count() == Person.objects.count() == 60
        assert Contact.objects.count() == 0
        assert check().violations == []
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE loops_duty CASCADE")


def test_a_person_refused_late_rejects_her_own_row_and_no_other(trees, tmp_path):
    """Whose birth date is not that of her number is only found when she is to be registered."""
    path = tmp_path / "list.csv"
    born = "  出生日期: {field: person.birth_date}\n  发病日期:"
    told = [f"{n},甲{n},,男,30,,2020-01-20,2020-01-25,普通型," for n in range(1, 4)]
    told.insert(2, f"9,乙,{NUMBERS[0]},,,1950-02-03,2020-01-20,2020-01-25,普通型,")
    header = HEADER.replace("发病日期", "出生日期,发病日期")
    path.write_text(header + "\n".join(told) + "\n", encoding="utf-8")
    with clock.frozen(LATER):
        job = make(path, MAP.replace("  发病日期:", born), look_for_duplicates=False)
        counts = run.run(job.public_id)
    assert [(line, rule) for line, status, rule, _ in findings(job) if status == "rejected"] == [
        (4, "write.refused")
    ]
    assert (counts.accepted, counts.rejected) == (3, 1)
