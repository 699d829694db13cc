"""The command line speaks the language of its user, also to who mistypes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.utils import translation

from bihuan.config import messages
from bihuan.doors.cli.main import run
from bihuan.doors.cli.spoken import of_the_command_line
from bihuan.registry.errors import Invalid

MISTYPED = [
    (["nosuch"], "没有命令 nosuch", "There is no command nosuch."),
    (["trace", "place"], "缺少 PLACE", "PLACE is missing."),
    (["visits", "forget"], "缺少 --before", "--before is missing."),
    (["visits", "forget", "--before"], "--before 之后须给出一个值", "--before needs a value after it."),
    (["visits", "forget", "--before", "xx"], "应如 2020-02-14", "is not written like 2020-02-14."),
    (["visits", "stats", "--jsn"], "是否指 --json", "Is --json meant?"),
    (["visits", "stats", "--json=3"], "--json 不带值", "--json takes no value."),
    (["visits", "stats", "more", "words"], "不知如何处理：more words", "to do with: more words"),
    (["trace", "--engine", "duck"], "不在可选值 'index', 'duckdb', 'spark' 之中", "is none of 'index'"),
    (["epi", "rt", "x.csv", "--window", "a"], "--window 须为整数", "--window is to be a whole number."),
    (["serve", "--port", "0"], "--port 不得小于 1", "--port is to be 1 or more."),
    (["serve", "--port", "99999"], "--port 不得大于 65535", "--port is to be 65535 or less."),
]  # fmt: skip


@pytest.fixture(autouse=True)
def _whole_program() -> None:
    from bihuan.config import commands
    from bihuan.doors.cli.main import app

    if not any(one.name == "serve" for one in app.registered_commands):
        commands.register(app)


@pytest.mark.parametrize(("words", "zh", "en"), MISTYPED)
def test_who_mistypes_is_told_what_to_do_in_her_language(
    words: list[str], zh: str, en: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for language, told in (("zh-hans", zh), ("en", en)):
        with translation.override(language):
            assert run(words) == 2
        said = capsys.readouterr().err.replace("\n", " ")
        assert told in said
        assert "--help" in said


def test_a_program_gets_a_mistake_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    with translation.override("en"):
        assert run(["visits", "forget", "--json"]) == 2
    error = json.loads(capsys.readouterr().err)["error"]
    assert (error["code"], error["message"]) == ("usage", "--before is missing.")


def test_a_group_named_alone_shows_what_it_holds(capsys: pytest.CaptureFixture[str]) -> None:
    with translation.override("zh-hans"):
        assert run(["visits"]) == 2
    said = "".join(capsys.readouterr())
    assert "ingest" in said
    assert "命令" in said


def test_help_has_its_headings_in_the_language_asked_for_and_the_library_keeps_its_own(
    capsys: pytest.CaptureFixture[str],
) -> None:
    from typer import rich_utils

    before = rich_utils.OPTIONS_PANEL_TITLE
    with translation.override("zh-hans"):
        assert run(["visits", "stats", "--help"]) == 0
    said = capsys.readouterr().out
    assert "选项" in said
    assert "显示本说明后退出" in said
    assert before == rich_utils.OPTIONS_PANEL_TITLE


@pytest.mark.parametrize(
    ("environment", "spoken"),
    [
        ({}, "zh-hans"),
        ({"LANG": "C.UTF-8"}, "zh-hans"),
        ({"LANG": "POSIX"}, "zh-hans"),
        ({"LANG": "en_US.UTF-8"}, "en"),
        ({"LANG": "zh_CN.UTF-8"}, "zh-hans"),
        ({"LANG": "fr_FR.UTF-8"}, "en"),
        ({"LANG": "en_US.UTF-8", "LC_ALL": "zh_CN"}, "zh-hans"),
        ({"LANG": "zh_CN.UTF-8", "LC_MESSAGES": "en_GB"}, "en"),
        ({"LANG": "zh_CN.UTF-8", "BIHUAN_LANG": "en"}, "en"),
        ({"LANG": "en_US.UTF-8", "BIHUAN_LANG": "zh-Hans"}, "zh-hans"),
    ],
)
def test_the_language_is_that_asked_for_or_that_of_the_locale(
    environment: dict[str, str], spoken: str
) -> None:
    assert of_the_command_line(environment) == spoken


def test_a_language_not_spoken_here_is_refused() -> None:
    with pytest.raises(Invalid):
        of_the_command_line({"BIHUAN_LANG": "klingon"})


@pytest.mark.parametrize(("asked", "told"), [("en", "There is no command"), ("zh", "没有命令"), ("xx", "zh")])
def test_the_program_itself_speaks_as_it_is_asked(asked: str, told: str, tmp_path: Path) -> None:
    environment = {**os.environ, "BIHUAN_LANG": asked, "BIHUAN_HOME": str(tmp_path)}
    words = [sys.executable, "-m", "bihuan", "nosuch"]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert told in done.stderr


def test_texts_within_f_strings_are_asked_for_too() -> None:
    source = """print(f"{_('one')} {pgettext('figure', 'two')}")\nself.gettext("three" " four")\n"""
    assert [text for _line, text in messages._texts_in_code(source)] == ["one", "two", "three four"]
