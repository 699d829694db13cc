"""No value of any option of any command ends in a traceback: it is refused with what to do, or answered."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from datetime import date
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction
from django.utils import translation
from django.utils.translation import pgettext

from bihuan.doors.cli import output
from bihuan.doors.cli.main import run
from bihuan.registry import clock
from bihuan.registry.people import PersonInput
from bihuan.tracing.actions import ContactInput, confirm_contact
from tests.cast import COMMUNITY, COUNTY, GRID, NEXT_COUNTY, Cast
from tests.doors.cli_room import Leaf, files, leaves
from tests.rooms.care_room import local
from tests.rooms.investigation_room import a_case, market, opened

#: What a value may look like that nobody means, or somebody by mistake.
ANY = ("", "nonsense", "9" * 24)
MORE = (
    "0001-01-01", "x" * 300, " ", "-", "-1", "0", "9" * 18, "1e400", "nan", "2020-02-30", "9999-12-31",
    "2020-02-05T08:00+99:00", "a=b", "=", "a,b", ",", "\udcff", "[bold]x[/red]", "{", "../x",
)  # fmt: skip
#: Exit codes of the house: done, found something wrong, refused, not there, not allowed, in conflict.
TOLD = (0, 1, 2, 4, 5, 6)
#: A command with what it needs, so that each option is reached. `{name}` is a file or a fact of the world.
WORDS = {
    "account create": "somebody", "account password": "{user}", "account posts": "{county}",
    "account assign": "{user} {post}",
    "assistance ask": "{person} --to {next} --from {county} --need inform --reason why",
    "assistance show": "{request}",
    "chains stats": "{cases}", "chains graph": "{cases}",
    "chains export": "{cases} --out {folder}/net.graphml",
    "chains infectors": "{cases} --generation 5,2 --incubation 5,2",
    "clock set": "2020-02-05", "clock advance": "1d",
    "contacts list": "{investigation}",
    "contacts manifest": "{investigation} {passengers} --kind train --ended 2020-02-11 --carriage 7",
    "duties complete": "{duty}", "duties waive": "{duty} --reason why",
    "duties hand-over": "{duty} --to {post} --reason why", "duties take-back": "{duty} --reason why",
    "epi detect": "{counts} --series county", "epi rt": "{counts} --series county --si-mean 5 --si-sd 2",
    "epi nowcast": "{cases} --event date_onset --report date_report",
    "epi scan": "{counts} --series county --locations {points} --replications 9",
    "epi delays": "{cases} --from date_onset --to date_report --families gamma",
    "epi evaluate": "{counts} --series county --outbreaks 2",
    "import guess": "{linelist}", "import linelist": "{linelist} --dry-run --territory {county}",
    "import contacts": "{links} --dry-run", "import resume": "J-1", "import status": "J-1",
    "investigations report": "{investigation} --out {folder}/report.pdf",
    "loops show": "{loop}",
    "oracles": "{folder}",
    "peers init": "--name A --url https://a.example --serves {county}", "peers add": "{counts}",
    "peers revoke": "N-1 --reason why",
    "places load": "{places} --territory {community}", "places show": "{place}",
    "policy value": "clocks.locate_hours", "policy rules": "--territory {county}",
    "policy diff": "hubei-2020-02 cn-nhc-2020-01", "policy impact": "hubei-2020-02 --limit 1",
    "territory load": "{tree}", "territory show": "{county}", "territory find": "张湾",
    "territory staff": "{county}",
    "token create": "--name A --post {post}", "token revoke": "1",
    "trace": "--cases {asked}", "trace common": "--cases {asked} --at-least 2",
    "trace place": "cafe --from 2020-02-08 --to 2020-02-08",
    "trace recalled": "--diaries {diaries} --from 2020-02-08 --to 2020-02-08",
    "visits ingest": "{visits}", "visits ingest-days": "{stays} --store {folder}/stays",
    "visits ingest-near": "{near} --store {folder}/near --map t=time --map i=person --map j=other",
    "visits forget": "--before 2020-01-01",
}  # fmt: skip
#: Not walked: they stay running, or work on the installation itself and not on what was typed.
APART = ("backup", "demo", "serve", "stop", "worker", "migrate", "restore", "messages", "status")
#: Commands about a thing that only another installation or an earlier command makes: refused by themselves.
ELSEWHERE = {
    "assistance link", "assistance settle", "assistance show", "duties take-back", "import resume",
    "import status", "oracles", "peers add", "peers revoke", "token revoke",
}  # fmt: skip
ROOMS = sorted({one.words[0] for one in leaves() if one.takes and one.name not in APART})


@pytest.fixture
def world(
    cast: Cast, own_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[dict[str, Any]]:
    """A county with a case, its investigation, loop and duties, a contact and a place; and small files."""
    within = tmp_path / "some" / "where"
    within.mkdir(parents=True)
    monkeypatch.chdir(within)
    scene = opened(cast.officer, a_case(cast.officer))
    from bihuan.loops import queries
    from bihuan.registry import scope

    with clock.frozen(local("02-12 18:00")):
        with cast.officer.acting():
            person = PersonInput(territory_code=GRID, name="冯小梅", phone="13800003333", sex="F")
            given = ContactInput(person=person, territory_code=GRID, exposure_last=date(2020, 2, 11))
            contact = confirm_contact(given, actor=cast.officer.actor)
            place = market(cast.officer)
        with scope.system():
            duty = queries.find_duties(queries.DutyFilter(status="open"), limit=1).rows[0]
        read = files(tmp_path)
        assert run(["visits", "ingest", str(read["visits"])]) == 0
        yield {
            **read,
            "folder": within, "user": cast.officer.account.username, "county": COUNTY, "next": NEXT_COUNTY,
            "community": COMMUNITY, "post": cast.officer.post.public_id, "person": contact.person.public_id,
            "request": "R-0000000000", "investigation": scene.public_id, "duty": duty.ref,
            "loop": duty.loop, "place": place,
        }  # fmt: skip


@pytest.fixture
def bihuan(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """`bihuan WORDS`: exit code and what was said; what it wrote into the database goes."""

    def call(*words: str) -> tuple[int, str]:
        capsys.readouterr()
        monkeypatch.setattr("sys.stdin", io.StringIO("closed-loop-2020\n"))
        with transaction.atomic():
            code = run(words)
            transaction.set_rollback(True)
        said = capsys.readouterr()
        return code, said.out + said.err

    return call


def with_value(words: list[str], parameter: Any, value: str) -> list[str]:
    """The words of a command with another value of one option or argument."""
    if parameter.param_type_name == "argument":
        return [value, *words[1:]]
    kept = list(words)
    for name in parameter.opts:
        if name in kept:
            place = kept.index(name)
            del kept[place : place + 2]
    return [*kept, parameter.opts[0], value]


def wrong_answers(
    leaf: Leaf, words: list[str], values: tuple[str, ...], bihuan: Callable[..., Any]
) -> list[str]:
    """Where a value of one option ends in no exit code of the house, in silence, or in an exception."""
    wrong: list[str] = []
    for parameter, value in product(leaf.takes, values):
        about = f"{leaf.name}: {parameter.name} {value[:20]!r}"
        try:
            code, said = bihuan(*leaf.words, *with_value(words, parameter, value))
        except Exception as error:
            wrong.append(f"{about}: {type(error).__name__} {error}"[:300])
            continue
        if code not in TOLD or (code and not said.strip()):
            wrong.append(f"{about}: exit {code}, {said[:300]}")
    return wrong


def walked(
    room: str, world: dict[str, Any], values: tuple[str, ...], bihuan: Callable[..., Any]
) -> list[str]:
    found = [one for one in leaves() if one.words[0] == room and one.takes and one.name not in APART]
    return [
        line
        for leaf in found
        for line in wrong_answers(leaf, WORDS.get(leaf.name, "").format(**world).split(), values, bihuan)
    ]


@pytest.mark.parametrize("room", ROOMS)
def test_any_value_is_answered_or_refused_with_words(
    room: str, world: dict[str, Any], bihuan: Callable[..., Any]
) -> None:
    wrong = walked(room, world, ANY, bihuan)
    assert not wrong, "\n".join(wrong)


@pytest.mark.slow
@pytest.mark.parametrize("room", ROOMS)
def test_stranger_values_are_so_too(room: str, world: dict[str, Any], bihuan: Callable[..., Any]) -> None:
    wrong = walked(room, world, MORE, bihuan)
    assert not wrong, "\n".join(wrong)


def test_an_empty_column_is_refused_with_what_it_means(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = str(files(tmp_path)["cases"])
    with translation.override("en"):
        assert run(["epi", "delays", file, "--from", "", "--to", "date_report"]) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert said.startswith("✗ --from is empty. → Write after --from: Column of the first date;")


def test_figures_and_columns_have_words_in_chinese(
    world: dict[str, Any], bihuan: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    bare: dict[str, str] = {}

    def called(key: str) -> str:
        word = pgettext("figure", key)
        if word == key and re.fullmatch("[a-z_ ]*[a-z][a-z_ ]*", key):
            bare[key] = leaf.name
        return word

    monkeypatch.setattr(output, "called", called)
    for leaf in leaves():
        if leaf.name not in APART and leaf.words[0] != "drill":
            bihuan(*leaf.words, *WORDS.get(leaf.name, "").format(**world).split())
    assert not bare, f"without a Chinese word (msgctxt “figure”): {bare}"


def test_the_words_that_are_walked_are_those_of_a_command_that_does_its_work(
    world: dict[str, Any], bihuan: Callable[..., Any]
) -> None:
    """Otherwise the options would not be reached."""
    failing = {
        leaf.name
        for leaf in leaves()
        if leaf.takes and leaf.name not in APART
        and bihuan(*leaf.words, *WORDS.get(leaf.name, "").format(**world).split())[0]
    }  # fmt: skip
    assert not failing - ELSEWHERE, "give these commands WORDS with which they do their work"
