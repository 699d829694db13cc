"""Help is told in the language of the command line: of tracing all of it, of others what is translated."""

from __future__ import annotations

from typing import Any

from django.utils import translation

from bihuan.doors.cli.main import Rooms


def helps(command: Any) -> list[str]:
    told = [getattr(one, "help", None) for one in (command, *command.params)]
    for child in getattr(command, "commands", {}).values():
        told += helps(child)
    return [text for text in told if text]


def trace_in(language: str) -> Any:
    with translation.override(language):
        return Rooms(name="bihuan").get_command(None, "trace")


def test_help_of_tracing_is_chinese_for_who_speaks_chinese():
    told = helps(trace_in("zh-hans"))
    assert len(told) > 20
    assert [text for text in told if not any("一" <= c <= "鿿" for c in text)] == []


def test_examples_in_help_stay_as_they_are_typed():
    told = trace_in("zh-hans").commands["common"].help
    assert told.endswith("bihuan trace common --cases cases.csv --days-before 14")


def test_help_of_tracing_is_english_for_who_speaks_english():
    assert trace_in("en").help.startswith("Tracing: who was present")
