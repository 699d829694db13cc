"""`bihuan epi` as a Chinese reader meets it: names, reasons, languages; series told apart or taken as one."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bihuan.doors.cli.main import run
from bihuan.epi import hierarchical_q_values

Said = tuple[int, str, str]


@pytest.fixture
def epi(capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """`bihuan epi WORDS`: exit code, what stood on stdout, what on stderr."""

    def call(*words: object) -> Said:
        capsys.readouterr()
        code = run(["epi", *(str(word) for word in words)])
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


@pytest.fixture
def counties(tmp_path: Path) -> Path:
    """Four years of weeks in four counties of two cities, and an outbreak in the newest week of one."""
    counts = np.random.default_rng(3).poisson(6, (4, 208))
    counts[0, -1] = 60
    path = tmp_path / "counties.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file)
        out.writerow(["date", "city", "county", "count"])
        for t in range(208):
            day = np.datetime64("2016-01-04") + 7 * t
            for i, (city, county) in enumerate(
                (("十堰", "张湾"), ("十堰", "茅箭"), ("襄阳", "襄城"), ("襄阳", "樊城"))
            ):
                out.writerow([day, city, county, counts[i, t]])
    return path


def test_a_chinese_reader_is_told_facts_and_reasons_in_chinese(
    epi: Callable[..., Said], counties: Path
) -> None:
    code, out, _err = epi("detect", counties, "--lang", "zh")
    assert code == 0
    assert "期数 208（逐周）" in out
    assert "选用方法 改进的 Farrington 法（4）" in out
    assert "历史长度不足以构成基线（" in out
    assert "short_history" not in out


def test_the_language_asked_for_is_that_of_everything_said(epi: Callable[..., Said], counties: Path) -> None:
    code, out, _err = epi("detect", counties, "--lang", "en")
    assert code == 0
    for county in ("张湾", "茅箭", "襄城", "樊城"):
        out = out.replace(county, "")
    assert not any("\u4e00" <= c <= "\u9fff" for c in out)


def test_programs_get_the_same_keys_in_every_language(epi: Callable[..., Said], counties: Path) -> None:
    one, other = (json.loads(epi("detect", counties, "--json", "--lang", lang)[1]) for lang in ("zh", "en"))
    assert one["chosen"] == other["chosen"] == {"farrington_flexible": 4}
    assert one["reasons"] == other["reasons"]
    assert "shown" not in one


def test_a_language_nobody_speaks_is_refused(epi: Callable[..., Said], counties: Path) -> None:
    code, _out, err = epi("detect", counties, "--lang", "fr")
    assert code == 2
    assert "fr" in err


def test_a_dash_takes_all_cases_as_one_series(epi: Callable[..., Said], tmp_path: Path) -> None:
    path = tmp_path / "cases.csv"
    days = [f"2020-01-{1 + i % 28:02d},{'AB'[i % 2]}" for i in range(112)]
    path.write_text("date_onset,county\n" + "\n".join(days), encoding="utf-8")
    words = ("rt", path, "--line-list", "--si-mean", "5", "--si-sd", "2", "--lang", "zh")
    assert json.loads(epi(*words, "--json")[1])["series"] == 2
    code, out, _err = epi(*words, "--series", "-")
    assert code == 0
    assert "序列数 1" in out
    assert "全部，2020-01-22 至 2020-01-28：Rt" in out


def test_rows_of_one_series_and_day_name_the_columns_there_are(
    epi: Callable[..., Said], counties: Path
) -> None:
    code, _out, err = epi("detect", counties, "--series", "-")
    assert code == 2
    assert "city, county" in err.replace("\n", " ")
    assert "'all'" not in err
    assert epi("detect", counties, "--series", "-", "--sum")[0] == 0


def test_a_sum_that_still_alarms_after_the_count_has_fallen_says_so(
    epi: Callable[..., Said], tmp_path: Path
) -> None:
    path = tmp_path / "weeks.csv"
    counts = [3, 4] * 30 + [40] * 3 + [0] * 3
    rows = [f"{np.datetime64('2019-01-07') + 7 * i},{n}" for i, n in enumerate(counts)]
    path.write_text("date,count\n" + "\n".join(rows), encoding="utf-8")
    _code, out, _err = epi("detect", path, "--method", "cusum", "--lang", "zh")
    assert "触发预警（由此前各期累积所致，并非本期偏高）" in out


def test_marks_leave_every_sentence_its_own_method(epi: Callable[..., Said], counties: Path) -> None:
    mark = "2019-12-09:definition_change:新定义"
    code, out, _err = epi("detect", counties, "--lang", "zh", "--mark", mark, "--json")
    assert code == 0
    told = json.loads(out)
    assert told["chosen"]
    assert not any("docs/reference" in sentence for sentence in told["explained"])


def test_a_county_is_found_only_where_its_city_is(
    epi: Callable[..., Said], counties: Path, tmp_path: Path
) -> None:
    out = tmp_path / "q.csv"
    words = ("detect", counties, "--newest", 1, "--out", out, "--lang", "zh")
    assert epi(*words, "--q-within", "city")[0] == 0
    with out.open(encoding="utf-8-sig", newline="") as file:
        found = {row["series"]: row for row in csv.DictReader(file)}
    p = np.array([float(found[name]["p_value"]) for name in ("张湾", "茅箭", "襄城", "樊城")])
    expected = hierarchical_q_values(p, ["十堰", "十堰", "襄阳", "襄阳"]).q
    assert [float(found[n]["q_value"]) for n in ("张湾", "茅箭", "襄城", "樊城")] == pytest.approx(expected)


def test_a_series_in_two_groups_is_refused(epi: Callable[..., Said], counties: Path) -> None:
    code, _out, err = epi("detect", counties, "--series", "city", "--sum", "--q-within", "county")
    assert code == 2
    assert "张湾" in err
    assert "--series A,B" in err.replace("\n", "")


def test_rates_read_as_counts_are_pointed_out(epi: Callable[..., Said], tmp_path: Path) -> None:
    path = tmp_path / "rates.csv"
    rows = [f"{np.datetime64('2020-01-06') + 7 * i},{0.5 + i / 100}" for i in range(30)]
    path.write_text("date,Dallas\n" + "\n".join(rows), encoding="utf-8")
    _code, out, _err = epi("detect", path, "--lang", "zh")
    assert "有 30 个数值不是整数，例如 'Dallas' 的 0.5" in out
