"""Help is told in the language of the command line: all of it, of every command, but for examples."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.utils import translation

from bihuan.doors.cli.main import Rooms, run
from tests.doors.cli_room import groups

EXAMPLE = re.compile(r"bihuan [a-z]+ ")


WORDS = re.compile(r"[A-Za-z]{2,}[^A-Za-z]+[A-Za-z]{2,}")


def paragraphs(language: str) -> Iterator[tuple[str, str, str]]:
    """What is told of every command, of its arguments and options: of which, of what, a paragraph of it."""
    with translation.override(language):
        for leaf in groups():
            for one in (leaf.command, *leaf.command.params):
                for text in (getattr(one, "help", None) or "").split("\n\n"):
                    if text.strip() and not EXAMPLE.match(text):
                        yield leaf.name, one.name, text


def test_help_is_chinese_whole_for_who_speaks_chinese() -> None:
    english = set(paragraphs("en"))
    chinese = list(paragraphs("zh-hans"))
    assert len(chinese) > 300
    assert [one for one in chinese if one in english and WORDS.search(one[2])] == []


def test_no_help_is_left_out_in_either_language() -> None:
    english, chinese = ([one[:2] for one in paragraphs(language)] for language in ("en", "zh-hans"))
    assert english == chinese


@pytest.mark.parametrize(("language", "said"), [("zh-hans", "不让任何一位患者"), ("en", "nobody who is ill")])
def test_the_first_page_says_what_bihuan_is(
    capsys: pytest.CaptureFixture[str], language: str, said: str
) -> None:
    with translation.override(language):
        assert run(["--help"]) == 0
    assert said in capsys.readouterr().out.replace("\n", "")


def trace_in(language: str) -> Any:
    with translation.override(language):
        return Rooms(name="bihuan").get_command(None, "trace")


def test_examples_in_help_stay_as_they_are_typed() -> None:
    told = trace_in("zh-hans").commands["common"].help
    assert told.endswith("bihuan trace common --cases cases.csv --days-before 14")
