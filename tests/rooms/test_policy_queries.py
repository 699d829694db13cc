"""What pages, the API and the command line read of the policy."""

from __future__ import annotations

import ast
import datetime as dt
import json
import re
from pathlib import Path

import pytest
from babel.messages.pofile import read_po
from django.utils import translation

from bihuan.doors.cli.main import run
from bihuan.policy import decisions, queries
from bihuan.policy.errors import PacksBroken, UnknownPolicyKey, UnknownPolicyRule
from bihuan.policy.packs import by_id, forget, in_force
from bihuan.policy.values import value

SHIYAN, PEAK = "420302001", dt.date(2020, 2, 20)


@pytest.fixture
def own_packs(settings, tmp_path):
    settings.BIHUAN_PACKS = [tmp_path]
    forget()
    yield tmp_path
    forget()


def test_a_value_comes_with_its_layer_and_clause():
    found = value("observation.follow_up_slots", SHIYAN, PEAK)
    assert (found.pack, found.clause, found.confidence) == ("hubei-2020-02", "D1-29", "unverified")
    assert value("observation.follow_ups_per_day", SHIYAN, PEAK).confidence == "verified"


def test_the_policy_of_a_running_loop_is_found_again_by_its_id():
    policy = in_force(SHIYAN, PEAK)
    assert by_id(policy.id).value("grid.unit_households").value == 10


def test_every_rule_in_force_is_listed_with_layer_sentence_and_what_it_covers():
    rows = {row.key: row for row in queries.rules_in_force(SHIYAN, PEAK, "zh")}
    assert len(rows) > 90
    report = rows["clocks.report_hours"]
    assert report.value == 2
    assert report.unit == "hours"
    assert report.sentence_zh == "发现疑似、确诊病例或无症状感染者，应在2小时内网络直报。"
    assert report.sentence_en.endswith("reported within 2 hours of being found.")
    assert report.layer_title == "国家防控方案（2020年1—3月）"
    assert [(c.pack, c.value) for c in report.overridden] == [("generic-respiratory", 24)]
    assert rows["case.suspected"].kind == "rule"
    assert "流行病学史条目数不少于1" in rows["case.suspected"].sentence_zh
    json.dumps([r.value for r in rows.values()])  # plain values


def test_packs_in_force_stand_from_the_narrowest_to_the_widest():
    rows = queries.packs_in_force(SHIYAN, PEAK, "en")
    assert [r.id for r in rows] == ["hubei-2020-02", "cn-nhc-2020-01", "generic-respiratory"]
    assert rows[0].date_to == dt.date(2020, 5, 24)
    assert rows[0].transition == "replan"


def test_a_pack_shows_what_it_says_itself():
    detail = queries.pack_detail("hubei-2020-02", "en")
    keys = [row.key for row in detail.rows]
    assert "errand.min_interval_days" in keys
    assert "clocks.report_hours" not in keys


def test_the_difference_of_two_packs_names_both_values():
    rows = {row.key: row for row in queries.diff("hubei-2020-02", "hubei-2020-05", "en")}
    assert (rows["readiness.laboratories"].a, rows["readiness.laboratories"].b) == (0, 2)
    assert "asymptomatic" in rows["categories.persons"].b
    assert "clocks.report_hours" not in rows
    assert queries.diff("hubei-2020-02", "hubei-2020-02") == []


def test_a_rule_of_a_pack_decides_with_the_numbers_in_force():
    rule = decisions.rule("case.suspected", SHIYAN, dt.date(2020, 3, 10))
    assert rule.closure({"epidemiological_items": 1, "clinical_items": 2}, None) is True
    with pytest.raises(UnknownPolicyRule, match=r"case\.suspected"):
        decisions.rule("case.suspectd", SHIYAN, dt.date(2020, 3, 10))


def test_errors_speak_the_readers_language():
    with translation.override("zh-hans"), pytest.raises(UnknownPolicyKey) as caught:
        value("observation.dayz", SHIYAN, PEAK)
    with translation.override("en"), pytest.raises(UnknownPolicyKey) as english:
        value("observation.dayz", SHIYAN, PEAK)
    assert "observation.days" in caught.value.hint
    assert english.value.message == "There is no policy key observation.dayz."


def test_broken_packs_answer_nothing(own_packs):
    (own_packs / "a.yaml").write_text("pack: a\nterritory: ''\nvalues: {x: 1}\n", encoding="utf-8")
    with pytest.raises(PacksBroken, match=r"a\.yaml:1"):
        in_force("42", PEAK)


def sentences_in(file: Path) -> set[str]:
    """Return the texts of a module, docstrings apart, that read as a message: a capital or a gap, and a full stop."""  # noqa: E501
    tree = ast.parse(file.read_text(encoding="utf-8"))
    bare = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    texts = [n for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str)]
    return {n.value for n in texts if id(n) not in bare and re.match(r"[A-Z{][^\n]* [^\n]*\.$", n.value)}


def test_every_message_of_the_room_is_translated():
    room = Path(queries.__file__).parent
    with (room / "locale/zh_Hans/LC_MESSAGES/django.po").open("rb") as file:
        catalog = read_po(file)
    said = set().union(*map(sentences_in, room.rglob("*.py")))
    assert len(said) > 60
    untranslated = {text for text in said if text not in catalog or not catalog[text].string}
    assert not untranslated
    for message in catalog:
        if message.id:
            gaps = re.findall(r"\{\w*\}|%\(\w+\)", str(message.id))
            assert sorted(gaps) == sorted(re.findall(r"\{\w*\}|%\(\w+\)", str(message.string))), message.id


# --- the command line -------------------------------------------------------------------------------


def ask(capsys, *words: str):
    code = run(["policy", *words, "--json"])
    said = capsys.readouterr()
    return code, json.loads(said.out or said.err)


def test_the_command_line_answers_one_value(capsys):
    code, row = ask(
        capsys, "value", "clocks.report_hours", "--territory", "120101", "--on", "2020-02-05", "--lang", "en"
    )
    assert code == 0
    assert (row["value"], row["pack"], row["confidence"]) == (2, "cn-nhc-2020-01", "verified")


def test_the_command_line_lists_packs_and_rules(capsys):
    assert {p["id"] for p in ask(capsys, "list")[1]} >= {"generic-respiratory", "hubei-2020-05"}
    _, listed = ask(capsys, "rules", "--territory", "42", "--on", "2020-03-10")
    assert listed["policy"] == "hubei-2020-02+cn-nhc-2020-03+generic-respiratory@2020-03-07"
    assert ask(capsys, "diff", "cn-nhc-2020-01", "cn-nhc-2020-03")[1]


def test_an_unknown_key_leaves_with_its_own_exit_code(capsys):
    code, said = ask(capsys, "value", "clocks.rport_hours", "--on", "2020-02-05")
    assert code == 4
    assert "clocks.report_hours" in said["error"]["details"]["nearest"]


def test_lint_of_the_shipped_packs_finds_nothing(capsys):
    code, said = ask(capsys, "lint")
    assert (code, said["problems"]) == (0, [])


def test_lint_names_every_problem_and_fails(capsys, tmp_path):
    (tmp_path / "a.yaml").write_text(
        "pack: a\nterritory: ''\ntitle: {zh: 甲, en: A}\ntransition: maybe\n", encoding="utf-8"
    )
    code, said = ask(capsys, "lint", str(tmp_path))
    assert code == 1
    assert said["problems"] == [
        {
            "file": f"{tmp_path}/a.yaml",
            "line": 4,
            "key": "transition",
            "code": "not-allowed",
            "severity": "error",
            "message": said["problems"][0]["message"],
        }
    ]
    assert "keep, replan" in said["problems"][0]["message"]


def test_lint_reads_loops_as_the_engine_does(capsys, tmp_path):
    shipped = Path(queries.__file__).parents[2] / "packs"
    for name in ("keys", "sources", "areas", "facts", "generic-respiratory"):
        (tmp_path / f"{name}.yaml").write_bytes((shipped / f"{name}.yaml").read_bytes())
    (tmp_path / "loops").mkdir()
    for file in (shipped / "loops").glob("*.yaml"):
        text = file.read_text(encoding="utf-8").replace("clocks.report_hours", "clocks.rapport_hours")
        (tmp_path / "loops" / file.name).write_text(text, encoding="utf-8")
    code, said = ask(capsys, "lint", str(tmp_path))
    assert code == 1
    assert any(
        "clocks.rapport_hours" in p["message"] and p["file"].endswith("case.yaml") for p in said["problems"]
    )
