"""The commands of docs/reference/api.md are run, and answer what stands below them."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from typer.testing import CliRunner

from bihuan.doors.cli.token import app
from bihuan.registry import clock, scope
from tests.doors.api_room import partner_token
from tests.rooms.care_room import local

DOC = Path(__file__).resolve().parent.parent.parent / "docs" / "reference" / "api.md"
FILE = "编号,姓名,发病日期\nA-1,王五,2020-02-10\n"


@dataclass
class Shell:
    """Runs the few things the page uses: setting a name, and curl."""

    client: Client = field(default_factory=Client)
    names: dict[str, str] = field(default_factory=dict)

    def run(self, block: str) -> Any:
        answer = None
        for words in (shlex.split(command) for command in _commands(block)):
            filled = [self._fill(word) for word in words]
            if filled[0] == "curl":
                answer = self._curl(filled[1:])
            else:
                name, _equals, value = filled[0].partition("=")
                self.names.setdefault(name, value)
        return answer

    def _fill(self, word: str) -> str:
        return re.sub(r"\$(\w+)", lambda found: self.names[found[1]], word)

    def _curl(self, words: list[str]) -> Any:
        headers, form, body, method, url = {}, {}, "", "", ""
        rest = iter(words)
        for word in rest:
            if word == "-H":
                name, _colon, value = next(rest).partition(": ")
                headers[name] = value
            elif word == "-d":
                body = next(rest)
            elif word == "-F":
                name, _equals, value = next(rest).partition("=")
                form[name] = SimpleUploadedFile(value[1:], FILE.encode()) if value[:1] == "@" else value
            elif word == "-X":
                method = next(rest)
            elif word != "-s":
                url = word
        path = "/api/v1" + url.removeprefix(self.names["API"])
        content_type = headers.pop("Content-Type", "application/json")
        if form:
            return self.client.post(path, form, headers=headers)
        if body or method == "POST":
            return self.client.post(path, body, content_type=content_type, headers=headers)
        return self.client.get(path, headers=headers)


def _commands(block: str) -> Iterator[str]:
    """Commands of a block: a line belongs to the one before while a quote is open."""
    waiting = ""
    for line in block.splitlines():
        waiting += ("\n" if waiting else "") + line
        try:
            shlex.split(waiting)
        except ValueError:
            continue
        yield waiting
        waiting = ""
    assert not waiting, waiting


def blocks() -> list[tuple[str, str, str]]:
    """(language, what follows it, text) of every fenced block."""
    return re.findall(r"^```(\w+) ?(.*?)\n(.*?)^```$", DOC.read_text("utf-8"), re.MULTILINE | re.DOTALL)


def assert_like(found: Any, shown: Any, where: str) -> None:
    """What is shown stands in what was found; … stands for anything."""
    if isinstance(shown, dict):
        for key, value in shown.items():
            assert_like(found[key], value, f"{where}.{key}")
    elif isinstance(shown, list):
        assert len(found) == len(shown), where
        for n, value in enumerate(shown):
            assert_like(found[n], value, f"{where}.{n}")
    elif isinstance(shown, str) and shown.endswith("…"):
        assert found.startswith(shown[:-1]), where
    else:
        assert found == shown, where


def picked(body: Any, way: str) -> str:
    for step in way.split("."):
        body = body[int(step)] if step.isdigit() else body[step]
    return str(body)


@pytest.mark.django_db
def test_the_session_of_the_reference_page_runs_as_it_stands(cast):
    shell = Shell(names={"AUTH": f"Authorization: Bearer {partner_token(cast.officer)}"})
    n_answers, answer = 0, None
    with clock.frozen(local("02-14 12:00")):
        for language, binding, text in blocks():
            if language == "sh":
                answer = shell.run(text)
                continue
            assert language == "json"
            assert answer is not None
            body = answer.json()
            assert_like(body, json.loads(text), f"answer {n_answers}: {answer.content.decode()}")
            if binding:
                name, _equals, way = binding.partition("=")
                shell.names[name] = picked(body, way)
            n_answers += 1
    assert n_answers >= 8


@pytest.mark.django_db
def test_a_token_is_made_as_the_page_says(cast):
    command = re.search(r"^    bihuan token (.*)$", DOC.read_text("utf-8"), re.MULTILINE)
    assert command is not None
    with scope.system():
        done = CliRunner().invoke(app, [*shlex.split(command[1]), "--json"])
    assert done.exit_code == 0, done.output
    made = json.loads(done.output)
    assert made["territory_code"] == "420303"
    answer = Client().get("/api/v1/territories/420303", headers={"Authorization": f"Bearer {made['secret']}"})
    assert answer.status_code == 200
