"""Tables of counts and line lists from files: what is read, and what is said of what cannot be."""

from __future__ import annotations

import csv
import gzip
import json
import subprocess
import sys
from datetime import date
from pathlib import Path

import duckdb
import numpy as np
import pytest

from bihuan.epi.errors import InputError
from bihuan.epi.tables import Columns, Counts, Reading, Wanted, files, read_columns, read_counts, write_rows
from bihuan.epi.tables.called import called

LONG = "date,district,count\n2020-02-03,A,4\n2020-02-04,A,5\n2020-02-03,B,0\n2020-02-05,B,7\n"


def put(folder: Path, text: str | bytes, name: str = "counts.csv") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def refusal(path: Path, columns: Columns | None = None, **how: object) -> InputError:
    with pytest.raises(InputError) as caught:
        read_counts(path, columns, how=Reading(**how))
    assert caught.value.zh
    return caught.value


def grid(found: Counts) -> list[list[float | None]]:
    return [[None if np.isnan(x) else x for x in row] for row in found.panel.counts.tolist()]


def test_a_long_table_becomes_series_over_the_same_days_and_a_day_without_a_row_is_not_a_zero(tmp_path):
    found = read_counts(put(tmp_path, LONG))
    assert found.panel.names == ("A", "B")
    assert found.panel.frequency == "daily"
    assert grid(found) == [[4, 5, None], [0, None, 7]]
    assert "2 of 6 periods have no row" in found.notes[0].en


def test_gaps_are_zeros_when_the_caller_says_so(tmp_path):
    assert grid(read_counts(put(tmp_path, LONG), how=Reading(gaps="zero"))) == [[4, 5, 0], [0, 0, 7]]


def test_the_order_of_rows_does_not_matter(tmp_path):
    head, *rows = LONG.splitlines()
    found = read_counts(put(tmp_path, "\n".join([head, *sorted(rows, reverse=True)])))
    assert dict(zip(found.panel.names, grid(found), strict=True)) == {"A": [4, 5, None], "B": [0, None, 7]}


@pytest.mark.parametrize(
    "text",
    [
        "date,A,B\n2020-02-03,4,0\n2020-02-04,5,\n2020-02-05,,7\n",
        "place,2020-02-03,2020-02-04,2020-02-05\nA,4,5,\nB,0,,7\n",
    ],
    ids=["a column a series", "a column a day"],
)
def test_a_wide_table_reads_as_the_long_one(tmp_path, text):
    assert grid(read_counts(put(tmp_path, text))) == [[4, 5, None], [0, None, 7]]


@pytest.mark.parametrize(
    ("data", "how"),
    [
        (LONG.encode("utf-8-sig"), {}),
        (LONG.replace("\n", "\r\n").encode(), {}),
        (LONG.replace(",", ";").encode(), {}),
        (LONG.replace(",", "\t").encode(), {}),
        (("\n\n" + LONG).encode(), {}),
        (LONG.encode("utf-16"), {}),
        (gzip.compress(LONG.encode()), {}),
        (LONG.replace("district", "区县").replace("A", "张湾区").encode("gb18030"), {"encoding": "gbk"}),
        (LONG.replace("2020-02-0", "2020/2/").encode(), {}),
        (LONG.replace("2020-02-0", "2020年2月").replace(",A", "日,A").replace(",B", "日,B").encode(), {}),
        (LONG.replace("date", '"date"').replace(",A", ',"A"').encode(), {}),
    ],
    ids=["bom", "crlf", "semicolon", "tab", "blank", "utf-16", "gzip", "gbk", "slashes", "chinese", "quoted"],
)
def test_usual_ways_of_writing_a_file_are_read_alike(tmp_path, data, how):
    assert grid(read_counts(put(tmp_path, data), how=Reading(**how))) == [[4, 5, None], [0, None, 7]]


def test_json_and_parquet_are_read_like_csv(tmp_path):
    rows = list(csv.DictReader(LONG.splitlines()))
    listed = put(tmp_path, json.dumps(rows), "counts.json")
    lines = put(tmp_path, "\n".join(map(json.dumps, rows)), "counts.ndjson")
    parquet = tmp_path / "counts.parquet"
    duckdb.sql(f"COPY (SELECT * FROM read_csv('{put(tmp_path, LONG)}')) TO '{parquet}'")
    for path in (listed, lines, parquet):
        assert grid(read_counts(path)) == [[4, 5, None], [0, None, 7]]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (LONG + "2020-02-30,A,1\n", "row 6, column 'date': '2020-02-30' is not a date"),
        (LONG + "05/02/2020,A,1\n", "write it as 2020-02-05"),
        (LONG + "2020-02-06,A,many\n", "row 6, column 'count': 'many' is not a number"),
        (LONG + "2020-02-06,A,inf\n", "row 6, column 'count': 'inf' is not a number"),
        (LONG + ",A,1\n", "row 6, column 'date' is empty"),
        (LONG + "2020-02-06,,1\n", "row 6, column 'district' is empty"),
        (LONG + "0020-02-06,A,1\n", "row 6, column 'date': '0020-02-06' is not a date"),
        (LONG + "2020-02-04,A,9\n", "rows 3 and 6 both give 2020-02-04 of 'A'"),
        (LONG + "2020-02-06,A,-3\n", "the count is -3 on 2020-02-06 in 'A'"),
        (LONG + "2020-02-06,A\n", "row 6 of counts.csv has 2 cells where the header has 3"),
        (LONG + "2020-02-06,A,1,2\n", "row 6 of counts.csv has 4 cells where the header has 3"),
        (LONG + '2020-02-06,"A,1\n', "quotation mark that is not closed"),
        (LONG + "\n\n2020-02-06,A,x\n", "row 8, column 'count'"),
        ("date,date,count\n2020-02-01,1,2\n", "two columns called 'date'"),
        ("", "counts.csv is empty"),
        ("date,district,count\n", "holds no rows"),
        ("when,what\nx,y\n", "which column of counts.csv holds the date"),
        ("date,kind\n2020-02-01,x\n", "if each row is one case, say --line-list"),
    ],
)
def test_what_cannot_be_read_is_named_by_its_row_with_the_way_out(tmp_path, text, says):
    assert says in refusal(put(tmp_path, text)).en


def test_two_dates_far_apart_are_days_and_two_weeks_apart_are_weeks(tmp_path):
    far = read_counts(put(tmp_path, "date,count\n1999-01-01,1\n2020-01-01,1\n")).panel
    near = read_counts(put(tmp_path, "date,count\n2020-01-01,1\n2020-01-15,1\n")).panel
    assert (far.frequency, far.n_times) == ("daily", 7671)
    assert (near.frequency, near.n_times) == ("weekly", 3)


@pytest.mark.parametrize(
    ("data", "name", "says"),
    [
        (b"PK\x03\x04" + bytes(50), "counts.csv", "is a spreadsheet or zip file; save the sheet as CSV"),
        (bytes(range(256)) * 9, "counts.csv", "is not a text file"),
        (b"\x89PNG\r\n\x1a\n" + bytes(200), "counts.csv", "is not a text file"),
        (b"nonsense", "counts.parquet", "is not Parquet"),
        (b"PAR1" + bytes(90) + b"PAR1", "counts.parquet", "cannot be read"),
        (gzip.compress(LONG.encode(), mtime=0)[:-9], "counts.csv.gz", "is broken"),
        (b'[{"date": "2020-01-01"},', "counts.json", "is not JSON that can be read"),
        (b'{"a": 1}\nx\n', "counts.ndjson", "line 2"),
        (b"[1, 2]", "counts.json", "must be a list of objects, one a row; entry 1 is not"),
        (
            (LONG + "2020-02-06,张湾区,1\n").encode("gb18030"),
            "counts.csv",
            "row 6 of counts.csv is not in utf-8",
        ),
    ],
)
def test_files_of_another_kind_are_refused_with_what_to_do(tmp_path, data, name, says):
    assert says in refusal(put(tmp_path, data, name)).en


@pytest.mark.parametrize("size", [4, 200, 500, 2000])
def test_a_broken_parquet_file_goes_by_its_name(tmp_path, size):
    whole = write_rows(
        [{"date": f"2020-01-{1 + i % 28:02d}", "n": i * i} for i in range(3000)], tmp_path / "a.parquet"
    )
    path = put(tmp_path, whole.read_bytes()[:size], "b.parquet")
    other = called(path, "C:\\lists\\二月.parquet")
    for given, name in ((path, "b.parquet"), (other, "二月.parquet")):
        said = refusal(given)
        assert name in said.en
        assert name in said.zh
        assert str(tmp_path) not in said.en + said.zh


def test_a_file_that_is_too_large_is_refused_before_it_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "LIMIT_BYTES", 1000)
    assert "count the cases beforehand, or split it" in refusal(put(tmp_path, LONG * 50)).en
    bomb = put(tmp_path, gzip.compress(LONG.encode() * 500), "counts.csv.gz")
    assert bomb.stat().st_size < 1000
    assert "holds more than" in refusal(bomb).en


def test_a_date_far_off_that_would_make_a_table_without_end_is_refused(tmp_path, monkeypatch):
    from bihuan.epi.tables import grids

    monkeypatch.setattr(grids, "LIMIT_CELLS", 10_000)
    assert "is a date far off?" in refusal(put(tmp_path, LONG + "2150-01-01,A,1\n")).en


def test_an_unknown_column_encoding_or_folder_is_said_with_what_there_is(tmp_path):
    path = put(tmp_path, LONG)
    assert "no column 'cases'; it has date, district, count" in refusal(path, Columns(count="cases")).en
    assert "usual ones are utf-8, gb18030" in refusal(path, encoding="klingon").en
    assert "is not a file" in refusal(tmp_path).en
    assert "no row of counts.csv has district=C" in refusal(path, where=[("district", "C")]).en
    assert "the file goes from 2020-02-03 to 2020-02-05" in refusal(path, since=date(2021, 1, 1)).en
    assert "population is not above zero" in refusal(put(tmp_path, "date,count,pop\n2020-01-01,1,0\n")).en


def test_a_thousand_columns_are_read_in_one_go_and_a_wrong_cell_is_named(tmp_path):
    heads = [f"s{i}" for i in range(1000)]
    rows = [[str((t * i) % 7) for i in range(1000)] for t in range(60)]
    rows[3][17] = ""
    lines = [
        f"{np.datetime64('2020-01-01') + np.timedelta64(t, 'D')}," + ",".join(cells)
        for t, cells in enumerate(rows)
    ]
    found = read_counts(put(tmp_path, "\n".join(["date," + ",".join(heads), *lines])))
    assert found.panel.counts.shape == (1000, 60)
    assert found.panel.counts[500, 7] == (7 * 500) % 7
    assert np.argwhere(np.isnan(found.panel.counts)).tolist() == [[17, 3]]
    assert not found.notes
    lines[59] = lines[59].replace(",", ",bad,", 1).rpartition(",")[0]
    assert (
        "row 61, column 's0': 'bad' is not a number"
        in refusal(put(tmp_path, "\n".join(["date," + ",".join(heads), *lines]))).en
    )


def test_a_path_with_marks_that_mean_something_to_a_shell_is_just_a_path(tmp_path):
    assert read_counts(put(tmp_path, LONG, "a[1] *'?.csv")).panel.n_series == 2


def test_days_add_up_to_whole_weeks_and_a_week_with_an_unreported_day_is_not_reported(tmp_path):
    days = np.arange("2020-02-01", "2020-02-25", dtype="datetime64[D]")
    text = "date,count\n" + "".join(f"{day},{'' if str(day) == '2020-02-12' else 1}\n" for day in days)
    found = read_counts(put(tmp_path, text), how=Reading(frequency="weekly"))
    assert [str(day) for day in found.panel.dates] == ["2020-02-03", "2020-02-10", "2020-02-17"]
    assert grid(found) == [[7, None, 7]]
    assert "2020-01-27, 2020-02-24" in found.notes[0].en


def test_weeks_are_counted_as_iso_or_mmwr_and_a_week_that_does_not_exist_is_refused(tmp_path):
    path = put(tmp_path, "year,week,count\n2020,53,1\n2021,1,2\n")
    assert str(read_counts(path).panel.dates[0]) == "2020-12-28"
    assert str(read_counts(path, how=Reading(weeks="mmwr")).panel.dates[0]) == "2020-12-27"
    assert "'2019-W53' is not a date" in refusal(put(tmp_path, "week,count\n2019-W53,1\n")).en


def test_numbered_periods_get_their_dates_from_the_first_one(tmp_path):
    path = put(tmp_path, "t,I\n1,1\n2,1\n3,0\n")
    found = read_counts(path, how=Reading(start=date(2009, 4, 27)))
    assert [str(day) for day in found.panel.dates] == ["2009-04-27", "2009-04-28", "2009-04-29"]


def test_totals_so_far_become_counts_and_a_falling_total_is_named(tmp_path):
    path = put(tmp_path, "date,count\n2020-01-01,5\n2020-01-02,9\n2020-01-03,9\n2020-01-04,7\n")
    assert "the total falls by 2 on 2020-01-04" in refusal(path, cumulative=True).en
    found = read_counts(path, how=Reading(cumulative=True, negative="missing"))
    assert grid(found) == [[4, 0, None]]


def test_a_line_list_is_counted_by_territory_and_day_and_a_day_without_a_case_is_a_zero(tmp_path):
    text = "onset,district\n2020-02-03,A\n2020-02-03,A\n2020-02-05,\n,A\n"
    found = read_counts(put(tmp_path, text), how=Reading(lines=True, until=date(2020, 2, 6)))
    assert found.panel.names == ("A", "?")
    assert grid(found) == [[2, 0, 0, 0], [0, 0, 1, 0]]
    assert "1 of 4 rows have no onset" in found.notes[0].en


def test_columns_of_two_dates_are_read_with_what_is_not_known(tmp_path):
    path = put(tmp_path, "onset,report\n2020-02-03,2020-02-05\nNA,2020-02-06\n")
    read = read_columns(path, {"a": Wanted("onset", "date"), "b": Wanted("report", "date")})
    assert np.isnat(read["a"]).tolist() == [False, True]
    assert str(read["b"][1]) == "2020-02-06"


@pytest.mark.parametrize("name", ["out.csv", "out.parquet", "out.json"])
def test_what_is_written_reads_back_the_same(tmp_path, name):
    rows = [
        {"date": date(2020, 2, 3), "series": "张湾区", "count": 4, "upper": 7.5, "alarm": False},
        {"date": date(2020, 2, 4), "series": "张湾区", "count": 9, "upper": None, "alarm": True},
    ]
    path = write_rows(rows, tmp_path / name)
    assert grid(read_counts(path)) == [[4, 9]]
    upper = read_columns(path, {"upper": Wanted("upper", "number")})["upper"]
    assert upper[0] == 7.5
    assert np.isnan(upper[1])
    assert [p.name for p in tmp_path.iterdir()] == [name]


def test_a_csv_carries_no_formula_and_a_name_without_a_known_end_is_refused(tmp_path):
    path = write_rows([{"series": "=1+1", "n": -3}], tmp_path / "out.csv")
    assert path.read_text(encoding="utf-8-sig") == "series,n\n'=1+1,-3\n"
    with pytest.raises(InputError, match="end the name with one of"):
        write_rows([], tmp_path / "out.xls")
    with pytest.raises(InputError, match="there is no folder"):
        write_rows([], tmp_path / "none" / "out.csv")


# --- real files --------------------------------------------------------------------------------------


def test_the_labelled_weekly_series_sum_as_a_plain_reader_sums_them(shared):
    path = shared / "data" / "earlywarning_rki_labelled" / "rki_labelled_weekly.csv"
    with path.open(encoding="utf-8") as file:
        plain = sum(int(row["count"]) for row in csv.DictReader(file))
    how = Reading(start=date(2001, 1, 1), frequency="weekly")
    found = read_counts(path, Columns(date="index"), how=how)
    assert found.panel.counts.shape == (14, 209)
    assert found.panel.counts.sum() == plain
    assert not found.notes


def test_ili_visits_are_read_by_mmwr_week_from_a_gzipped_file(shared):
    path = shared / "data" / "earlywarning_ilinet" / "ilinet_state_weekly.csv.gz"
    columns = Columns(count="ili_visits")
    assert "'2014-W53' is not a date" in refusal(path, columns).en
    found = read_counts(path, columns, how=Reading(weeks="mmwr"))
    assert found.panel.frequency == "weekly"
    assert str(found.panel.dates[0]) == "2010-10-03"  # MMWR 2010-W40


def test_the_jump_of_hubei_stands_where_it_was_announced(shared):
    path = shared / "data" / "covid_china_daily" / "hubei_city_daily.csv"
    how = Reading(cumulative=True, negative="missing")
    found = read_counts(path, Columns(count="confirmed"), how=how).panel
    day = int(np.flatnonzero(found.dates == np.datetime64("2020-02-12"))[0])
    assert found.counts[found.index("武汉市"), day] == 13_436
    assert "the total falls by" in refusal(path, Columns(count="confirmed"), cumulative=True).en


def test_months_of_one_disease_are_kept_by_a_condition(shared):
    path = shared / "data" / "earlywarning_china_notifiable_monthly" / "hubei_monthly.csv"
    how = Reading(where=[("disease", "Influenza")])
    found = read_counts(path, how=how).panel
    assert found.frequency == "monthly"
    year = np.char.startswith(found.dates.astype(str), "2009")
    assert np.nansum(found.counts[0, year]) == 15_444


def test_calls_by_region_need_what_tells_the_series_apart(shared):
    path = shared / "data" / "earlywarning_nhs_calls_2020" / "calls_by_region.csv"
    assert "--series A,B" in refusal(path).en
    found = read_counts(path, Columns(series="site_type,nhs_region")).panel
    assert found.n_series == 21


def test_tables_are_read_without_django():
    program = "import sys, bihuan.epi.tables; assert 'django' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
