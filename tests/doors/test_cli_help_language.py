"""Help is told in the language of the command line: of tracing all of it, of others what is translated."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import translation

from bihuan.doors.cli.main import Rooms


def helps(command: Any) -> list[str]:
    told = [getattr(one, "help", None) for one in (command, *command.params)]
    for child in getattr(command, "commands", {}).values():
        told += helps(child)
    return [text for text in told if text]


def room_in(language: str, room: str = "trace") -> Any:
    with translation.override(language):
        return Rooms(name="bihuan").get_command(None, room)


@pytest.mark.parametrize(("room", "at_least"), [("trace", 20), ("peers", 15), ("assistance", 15)])
def test_help_of_tracing_is_chinese_for_who_speaks_chinese(room: str, at_least: int):
    told = helps(room_in("zh-hans", room))
    assert len(told) > at_least
    assert [text for text in told if not any("一" <= c <= "鿿" for c in text)] == []


def test_examples_in_help_stay_as_they_are_typed():
    told = room_in("zh-hans").commands["common"].help
    assert told.endswith("bihuan trace common --cases cases.csv --days-before 14")


def test_help_of_tracing_is_english_for_who_speaks_english():
    assert room_in("en").help.startswith("Tracing: who was present")
