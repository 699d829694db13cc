"""Imports conserve rows, double nothing, resume after a kill, and say what became of each row."""

from __future__ import annotations

import csv
import io
import os
import signal
import subprocess
import sys
from datetime import UTC, date, datetime

import pytest

from bihuan.cases.models import Case, CaseRevision
from bihuan.doors.exchange import jobs, run
from bihuan.doors.exchange import mapping as mappings
from bihuan.doors.exchange.errors import FileRefused, JobBusy, MappingError, UnknownJob
from bihuan.doors.exchange.models import ImportedRow, ImportJob, ImportRow
from bihuan.loops.models import Loop
from bihuan.loops.queries import check
from bihuan.registry import clock, scope
from bihuan.registry.errors import Invalid, NotAllowed
from bihuan.registry.models import Person
from tests.cast import COUNTY, NEXT_COUNTY, Cast
from tests.doors.import_room import HEADER, LATER, MAP, SYSTEM, bring, findings, load_trees, make


def card(serial: int) -> str:
    """A well-formed number of nobody: birth 1980-01-01, county code that no county has."""
    from stdnum.cn import ric

    body = f"42039919800101{serial:03}"
    return body + ric.calc_check_digit(body + "0")


@pytest.fixture
def trees(db):
    load_trees()


@pytest.fixture
def committed(transactional_db):
    """Trees in a database whose transactions really end; emptied afterwards, partitions too."""
    from django.db import connection

    load_trees()
    yield
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE loops_duty CASCADE")


def write(tmp_path, *rows, name="cases.csv"):
    path = tmp_path / name
    path.write_text(HEADER + "".join(f"{row}\n" for row in rows), encoding="utf-8")
    return path


def totals():
    with scope.system():
        return {
            "people": Person.objects.count(),
            "cases": Case.objects.count(),
            "loops": Loop.objects.count(),
            "revisions": CaseRevision.objects.count(),
            "remembered": ImportedRow.unscoped.count(),
        }


GOOD = ("1,,,男,40,2020-01-20,2020-01-25,普通型,", "2,,,女,30,2020-01-21,2020-01-26,重型,")


def test_a_list_becomes_cases_with_loops_at_the_dates_of_the_file(trees, tmp_path):
    job, counts = bring(write(tmp_path, *GOOD), MAP)
    assert counts.as_dict() == {"rows": 2, "accepted": 2, "revised": 0, "duplicate": 0, "rejected": 0}
    with scope.system():
        case = Case.objects.get(local_id="1")
        assert (case.date_onset, case.date_confirmation) == (date(2020, 1, 20), date(2020, 1, 25))
        assert (case.found_precision, case.territory_code, case.severity) == ("day", "420303", "moderate")
        assert case.found_at == datetime(2020, 1, 24, 16, tzinfo=UTC)  # midnight of the 25th in Shanghai
        assert Loop.objects.filter(subject_ref=case.public_id).count() == 1
        assert check().violations == []
    assert job.state == "done"


def test_the_same_file_twice_changes_nothing(trees, tmp_path):
    path = write(tmp_path, *GOOD)
    bring(path, MAP)
    before = totals()
    _job, counts = bring(path, MAP)
    assert counts.as_dict() == {"rows": 2, "accepted": 0, "revised": 0, "duplicate": 2, "rejected": 0}
    assert totals() == before


@pytest.mark.parametrize("chunk", [1, 30])
def test_a_known_row_that_stands_twice_is_told_the_same_wherever_a_chunk_ends(trees, tmp_path, chunk):
    line = "A1,,,男,40,2020-01-20,2020-01-25,普通型,"
    bring(write(tmp_path, line), MAP)
    job = make(write(tmp_path, line, line, line.replace("40", "41"), name="again.csv"), MAP)
    counts = run.run(job.public_id, chunk=chunk)
    assert counts.as_dict() == {"rows": 3, "accepted": 0, "revised": 0, "duplicate": 2, "rejected": 1}
    assert [rule for _line, _status, rule, _column in findings(job)] == [
        "same.imported",
        "same.row",
        "id.twice",
    ]
    assert totals()["cases"] == 1


def test_a_changed_row_becomes_a_revision_and_a_blank_takes_nothing_back(trees, tmp_path):
    bring(write(tmp_path, *GOOD), MAP)
    path = write(tmp_path, "1,,,男,40,2020-01-19,,危重型,2020-02-03", GOOD[1])
    job, counts = bring(path, MAP)
    assert counts.as_dict() == {"rows": 2, "accepted": 1, "revised": 1, "duplicate": 1, "rejected": 0}
    with scope.system():
        case = Case.objects.get(local_id="1")
        assert (case.date_onset, case.date_confirmation) == (date(2020, 1, 19), date(2020, 1, 25))
        assert (case.severity, case.outcome, case.date_outcome) == ("critical", "died", date(2020, 2, 3))
        kept = set(CaseRevision.objects.values_list("field", "old", "new"))
        assert ("date_onset", "2020-01-20", "2020-01-19") in kept
        assert ("severity", "moderate", "critical") in kept
        assert check().violations == []
        assert ImportRow.objects.get(job=job, number=1).is_revision
    assert bring(path, MAP)[1].duplicate == 2


def test_every_row_is_accepted_duplicate_or_rejected_and_the_ledger_says_why(trees, tmp_path):
    path = write(
        tmp_path,
        GOOD[0],
        GOOD[0],  # the same row
        "1,,,男,41,2020-01-20,2020-01-25,普通型,",  # the same identifier, other contents
        ",,,男,40,2020-01-20,2020-01-25,普通型,",  # no identifier
        "5,,,男,old,2020,2020-01-25,奇怪型,",  # three cells set aside
        "6,,,男,40,2002-01-20,2020-01-25,普通型,",  # a typing error in the year
        "7,,,男,40,2020-01-29,2020-01-25,普通型,",  # onset after confirmation: kept, flagged
        "8,,,男,40,,,普通型,",  # no date: kept, flagged
    )
    job, counts = bring(path, MAP)
    assert (counts.rows, counts.accepted, counts.duplicate, counts.rejected) == (8, 5, 1, 2)
    found = findings(job)
    assert (3, "duplicate", "same.row", "") in found
    assert (4, "rejected", "id.twice", "") in found
    assert (5, "rejected", "required", "编号") in found
    assert {(6, "accepted", r, c) for r, c in (("age.form", "年龄"), ("date.year_only", "发病日期"))} <= set(
        found
    )
    assert (6, "accepted", "code.unknown", "临床分型") in found
    assert (7, "accepted", "date.era", "发病日期") in found
    assert (8, "accepted", "dates.order", "发病日期") in found
    assert (9, "accepted", "dates.none", "") in found
    with scope.system():
        assert Case.objects.get(local_id="6").date_onset is None
        text = "".join(jobs.ledger_csv(job))
    lines = list(csv.reader(io.StringIO(text.lstrip("\ufeff"))))
    assert tuple(lines[0]) == jobs.LEDGER_HEADER
    assert all(line[9] for line in lines[1:] if line[7])


def test_a_cell_that_a_row_must_have_rejects_the_row(trees, tmp_path):
    text = MAP.replace("required: [case.local_id]", "required: [case.local_id, case.date_confirmation]")
    job, counts = bring(write(tmp_path, GOOD[0], "2,,,女,30,2020-01-21,2020-02-30,重型,"), text)
    assert (counts.accepted, counts.rejected) == (1, 1)
    assert findings(job) == [(3, "rejected", "date.calendar", "确诊日期")]


def test_nothing_later_than_the_as_of_day_is_known(trees, tmp_path):
    path = write(
        tmp_path,
        "1,,,男,40,2020-01-20,2020-01-25,普通型,2020-02-10",
        "2,,,女,30,2020-02-06,2020-02-08,重型,",
    )
    job, counts = bring(path, MAP, as_of=date(2020, 2, 5))
    assert (counts.accepted, counts.rejected) == (1, 1)
    assert (3, "rejected", "dates.not_yet", "") in findings(job)
    with scope.system():
        case = Case.objects.get()
        assert (case.outcome, case.date_outcome) == ("unknown", None)
        assert case.recorded_at == datetime(2020, 2, 5, 15, 59, 59, tzinfo=UTC)
    _job, counts = bring(path, MAP, as_of=date(2020, 2, 22))
    assert (counts.accepted, counts.revised, counts.rejected) == (2, 1, 0)
    with scope.system():
        assert Case.objects.get(local_id="1").outcome == "died"
        assert check().violations == []


def test_a_day_in_the_future_is_refused_as_as_of(trees, tmp_path):
    with pytest.raises(Invalid, match="2022-01-01"):
        bring(write(tmp_path, *GOOD), MAP, as_of=date(2022, 1, 1))


def test_a_dry_run_counts_the_same_and_writes_nothing(trees, tmp_path):
    path = write(tmp_path, *GOOD, GOOD[0], "3,,,男,40,,2020-13-01,普通型,")
    with clock.frozen(LATER):
        job = make(path, MAP)
        before = totals()
        seen = []
        counts = run.dry_run(job.public_id, look=lambda j: seen.extend(jobs.ledger_rows(j)))
    assert totals() == before
    assert len(seen) == 4
    with scope.system():
        assert ImportRow.objects.count() == 0
        assert ImportJob.objects.get().n_rows == 0
    assert bring(path, MAP)[1] == counts


def test_the_same_person_with_a_case_is_a_duplicate_and_a_likeness_is_left_to_people(trees, tmp_path):
    born = MAP.replace("person.age", "person.birth_date")
    bring(write(tmp_path, f"1,周小明,{card(11)},男,1980-01-01,2020-01-20,2020-01-25,普通型,"), born)
    path = write(
        tmp_path,
        f"A,周小明,{card(11)},男,1980-01-01,2020-01-20,2020-01-25,普通型,",
        f"B,李芳,{card(22)},女,1980-01-01,2020-01-20,2020-01-25,普通型,",
        f"C,李芳,{card(22)},女,1980-01-01,2020-01-20,2020-01-26,普通型,",
        "D,周小明,,男,1980-01-01,2020-01-20,2020-01-25,普通型,",
    )
    job, counts = bring(path, born.replace("list: county-2020", "list: another"))
    assert (counts.accepted, counts.duplicate) == (2, 2)
    rules = {(line, status, rule) for line, status, rule, _c in findings(job)}
    assert {
        (2, "duplicate", "same.person"),
        (4, "duplicate", "same.row"),
        (5, "accepted", "same.maybe"),
    } <= rules
    assert totals()["people"] == 3


def test_a_person_known_without_a_case_gets_the_case(trees, tmp_path):
    from bihuan.registry.actions.people import register_person
    from bihuan.registry.people import PersonInput

    with scope.system():
        known = register_person(PersonInput("420303", name="周小明", id_number=card(11)), SYSTEM)
    _job, counts = bring(write(tmp_path, f"1,周小明,{card(11)},男,40,2020-01-20,2020-01-25,普通型,"), MAP)
    assert counts.accepted == 1
    with scope.system():
        assert Case.objects.get().person_id == known.id


def test_an_identifier_that_points_to_somebody_else_is_rejected(trees, tmp_path):
    bring(write(tmp_path, *GOOD), MAP)
    job, counts = bring(write(tmp_path, "1,,,女,77,2020-01-20,2020-01-25,普通型,"), MAP)
    assert (counts.accepted, counts.rejected) == (0, 1)
    assert [f[2] for f in findings(job)] == ["id.other_person"]


def test_a_contradiction_between_number_and_sex_is_rejected_and_leaves_no_person(trees, tmp_path):
    job, counts = bring(write(tmp_path, f"1,周小明,{card(11)},女,40,2020-01-20,2020-01-25,普通型,"), MAP)
    assert counts.rejected == 1
    assert totals()["people"] == 0
    assert [f[2] for f in findings(job)] == ["write.refused"]


def test_a_job_that_was_cut_off_resumes_without_doubling(committed, tmp_path):
    path = write(tmp_path, *(f"{n},,,男,{20 + n % 50},2020-01-20,2020-01-25,普通型," for n in range(50)))
    with clock.frozen(LATER):
        job = make(path, MAP)

        class PowerCut(BaseException):
            pass

        def cut(counts):
            if counts.rows >= 20:
                raise PowerCut

        with pytest.raises(PowerCut):
            run.run(job.public_id, chunk=10, progress=cut)
        with scope.system():
            assert ImportJob.objects.get().state == "running"
            assert Case.objects.count() == ImportRow.objects.count() == 20
        counts = run.run(job.public_id, chunk=10)
        assert run.run(job.public_id) == counts
    assert (counts.rows, counts.accepted) == (50, 50)
    assert totals()["cases"] == 50


def test_a_kill_at_any_moment_loses_and_doubles_nothing(committed, tmp_path):
    path = write(tmp_path, *(f"{n},,,男,{20 + n % 50},2020-01-20,2020-01-25,普通型," for n in range(400)))
    job = make(path, MAP)
    for wanted in (40, 160):
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, job.public_id], env=_child_env(), stdout=subprocess.PIPE, text=True
        )
        assert child.stdout is not None
        for line in child.stdout:
            if int(line) >= wanted:
                break
        child.send_signal(signal.SIGKILL)
        child.wait()
    counts = run.run(job.public_id, chunk=20)
    assert (counts.rows, counts.accepted, counts.duplicate) == (400, 400, 0)
    assert totals()["cases"] == totals()["people"] == totals()["remembered"] == 400
    with scope.system():
        assert ImportRow.objects.count() == 400
        assert check().violations == []


CHILD = """
import sys, django
django.setup()
from bihuan.doors.exchange import run
run.run(sys.argv[1], chunk=20, progress=lambda counts: print(counts.rows, flush=True))
"""


def _child_env():
    from django.db import connection

    s = connection.settings_dict
    user = s["USER"] + (f":{s['PASSWORD']}" if s["PASSWORD"] else "")
    host = s["HOST"] or ""
    where = (
        f"@/{s['NAME']}?host={host}&port={s['PORT']}"
        if host.startswith("/")
        else f"@{host}:{s['PORT']}/{s['NAME']}"
    )
    return {
        **os.environ,
        "DATABASE_URL": f"postgresql://{user}{where}",
        "DJANGO_SETTINGS_MODULE": "bihuan.config.settings",
        "BIHUAN_MODE": "test",
        "BIHUAN_TEST_DB": "",
    }


def test_resuming_a_file_that_has_changed_is_refused(committed, tmp_path):
    path = write(tmp_path, *GOOD)
    with clock.frozen(LATER):
        job = make(path, MAP)
        with pytest.raises(ZeroDivisionError):
            run.run(job.public_id, chunk=1, progress=lambda counts: 1 / 0)
        path.write_text(HEADER + "9,,,男,40,,,,\n", encoding="utf-8")
        with pytest.raises(FileRefused) as refused:
            run.run(job.public_id)
        assert refused.value.rule == "file.changed"
        path.unlink()
        with pytest.raises(FileRefused) as refused:
            run.run(job.public_id)
        assert refused.value.rule == "file.exists"


PLACES = """kind: linelist
list: places
columns: {编号: {field: case.local_id}, 确诊日期: {field: case.date_confirmation}, {}}
constants: {case.classification: confirmed}
"""


def test_rows_that_belong_elsewhere_are_rejected_and_names_are_found_in_the_tree(trees, tmp_path):
    text = PLACES.replace("{}}", "市: {field: territory.city}, 区: {field: territory.county}}")
    path = tmp_path / "places.csv"
    path.write_text(
        "编号,市,区,确诊日期\n1,十堰市,张湾区,2020-01-25\n2,十堰,某区,2020-01-25\n3,武汉市,,2020-01-25\n4,,,2020-01-25\n",
        encoding="utf-8",
    )
    job, counts = bring(path, text, given="42")
    assert (counts.accepted, counts.rejected) == (4, 0)
    with scope.system():
        assert dict(Case.objects.values_list("local_id", "territory_code")) == {
            "1": "420303",
            "2": "4203",
            "3": "4201",
            "4": "42",
        }
    assert (3, "accepted", "territory.fallback", "区") in findings(job)


# --- in a post ---------------------------------------------------------------------------------------


def officer_job(cast: Cast, path, text=MAP):
    with cast.officer.acting(), path.open("rb") as stream:
        job = jobs.create_job(stream, name="病例.csv", actor=cast.officer.actor)
        jobs.set_mapping(job, mappings.loads(text))
        return job


def test_a_post_imports_into_its_own_territory_only(cast, tmp_path):
    text = PLACES.replace("{}}", "区划: {field: territory.code}}")
    path = tmp_path / "cases.csv"
    path.write_text(
        f"编号,区划,确诊日期\n1,{COUNTY},2020-01-25\n2,{NEXT_COUNTY},2020-01-25\n", encoding="utf-8"
    )
    with clock.frozen(LATER):
        job = officer_job(cast, path, text)
        counts = run.run(job.public_id)
    assert (counts.accepted, counts.rejected) == (1, 1)
    assert (3, "rejected", "territory.scope", "") in findings(job)
    with cast.neighbor.acting():
        with pytest.raises(UnknownJob):
            jobs.get(job.public_id)
        assert jobs.recent() == []
        assert ImportRow.objects.count() == 0
    with cast.city.acting():
        assert jobs.get(job.public_id).n_rows == 2


def test_a_post_without_the_right_imports_nothing(cast, tmp_path):
    path = write(tmp_path, *GOOD)
    with cast.grid.acting(), path.open("rb") as stream, pytest.raises(NotAllowed):
        jobs.create_job(stream, name="x.csv", actor=cast.grid.actor)


def test_two_offices_may_use_the_same_list_name(cast, tmp_path):
    path = write(tmp_path, *GOOD)
    with clock.frozen(LATER):
        job = officer_job(cast, path)
        assert run.run(job.public_id).accepted == 2
        with cast.neighbor.acting(), path.open("rb") as stream:
            other = jobs.create_job(stream, name="x.csv", actor=cast.neighbor.actor)
            jobs.set_mapping(other, mappings.loads(MAP.replace("420303", NEXT_COUNTY)))
        assert run.run(other.public_id).accepted == 2


def test_the_wizard_previews_starts_and_reads_the_ledger(cast, tmp_path):
    path = write(tmp_path, GOOD[0], "2,,,女,old,2020-01-21,2020-01-26,重型,")
    with clock.frozen(LATER), cast.officer.acting():
        with path.open("rb") as stream:
            job = jobs.create_job(stream, name="病例.csv", actor=cast.officer.actor)
        proposed = jobs.guess_mapping(job)
        assert {f for c in proposed.columns for f in c.fields} >= {
            "case.local_id",
            "person.sex",
            "case.date_onset",
        }
        seen = jobs.preview(job, proposed)
        assert seen.headers[0] == "编号"
        assert seen.rows[0].territory_code == COUNTY
        assert [e.rule for e in seen.rows[1].of("年龄")] == ["age.form"]
        jobs.set_mapping(job, proposed)
        jobs.start(job)
        with pytest.raises(JobBusy):
            jobs.start(job)
        assert jobs.progress(job).state == "queued"
    with clock.frozen(LATER):
        run.run(job.public_id)
    with cast.officer.acting():
        now = jobs.progress(job)
        assert (now.state, now.share, now.counts.accepted) == ("done", 1.0, 2)
        assert [r.line for r in jobs.ledger_rows(job, status="accepted", page=1, size=1)] == [2]
        assert "age.form" in "".join(jobs.ledger_csv(job))


def test_an_upload_is_private_and_shredded_after_its_time(cast, tmp_path):
    with clock.frozen(LATER):
        job = officer_job(cast, write(tmp_path, *GOOD))
    stored = jobs.uploads() / f"{job.public_id}.csv"
    assert stored.stat().st_mode & 0o077 == 0
    with scope.system():
        assert jobs.shred_uploads(LATER) == 0
        assert jobs.shred_uploads(LATER.replace(month=8)) == 1
        assert jobs.shred_uploads(LATER.replace(month=8)) == 0
    assert not stored.exists()


@pytest.mark.parametrize("content", [b"\x00\x01\x02" * 100, b"", b"PK\x03\x04broken"])
def test_a_bad_upload_is_refused_and_nothing_is_kept(cast, content):
    before = sorted(jobs.uploads().iterdir())
    with cast.officer.acting():
        with pytest.raises(FileRefused):
            jobs.create_job(io.BytesIO(content), name="x.xlsx", actor=cast.officer.actor)
        assert jobs.recent() == []
    assert sorted(jobs.uploads().iterdir()) == before


def test_a_mapping_that_does_not_fit_the_file_is_refused(trees, tmp_path):
    path = tmp_path / "other.csv"
    path.write_text("a,b\n1,2\n", encoding="utf-8")
    with pytest.raises(MappingError):
        make(path, MAP)


def test_a_file_that_breaks_off_half_way_changes_nothing(trees, tmp_path):
    rows = [f"{n},,,男,40,2020-01-20,2020-01-25,普通型," for n in range(2_500)]
    path = write(tmp_path, *rows, '9999,,,男,"' + "x" * 40_000)
    with pytest.raises(FileRefused) as refused:
        bring(path, MAP)
    assert refused.value.rule == "file.cell"
    assert set(totals().values()) == {0}
    with scope.system():
        assert ImportRow.objects.count() == 0
        assert ImportJob.objects.get().state == "failed"


def test_a_formula_in_a_cell_is_stored_as_text_and_leaves_the_ledger_harmless(trees, tmp_path):
    job, counts = bring(
        write(tmp_path, '1,,,男,"=HYPERLINK(""http://x"")",2020-01-20,2020-01-25,普通型,'), MAP
    )
    assert counts.accepted == 1
    with scope.system():
        assert "'=HYPERLINK" in "".join(jobs.ledger_csv(job))
