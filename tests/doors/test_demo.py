"""What the demo starts is written down; its end ends that and nothing else."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bihuan.config import home, processes, serving
from bihuan.config.commands import demo
from bihuan.registry.errors import BihuanError, Conflict

pytestmark = pytest.mark.usefixtures("english")
SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BIHUAN_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def bystander() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(SLEEP)
    yield process
    process.kill()
    process.wait()


def gone(process: processes.Process) -> bool:
    deadline = time.monotonic() + 5
    while process.is_alive() and time.monotonic() < deadline:
        time.sleep(0.02)
    return not process.is_alive()


def start(folder: Path, words: list[str] = SLEEP) -> processes.Process:
    return serving.start(words, log=folder / "log", environment={})


def test_stop_ends_the_recorded_processes_and_nothing_else(
    folder: Path, bystander: subprocess.Popen[bytes]
) -> None:
    supervisor, child = start(folder), start(folder)
    serving.Record(supervisor=supervisor, address="http://x", children={"server": child}).write()
    demo.stop()
    assert gone(supervisor)
    assert gone(child)
    assert bystander.poll() is None
    assert serving.Record.read() is None


def test_a_number_that_another_process_bears_now_is_left_alone(bystander: subprocess.Popen[bytes]) -> None:
    earlier = processes.Process(pid=bystander.pid, began="long ago")
    serving.Record(supervisor=earlier, address="http://x", children={"server": earlier}).write()
    demo.stop()
    assert bystander.poll() is None


def test_what_a_child_started_ends_with_it_even_when_it_does_not_listen(folder: Path) -> None:
    note = folder / "grandchild"
    code = (
        "import os, signal, subprocess, sys, time, pathlib\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        f"pathlib.Path({str(note)!r}).write_text(str(child.pid)); time.sleep(60)"
    )
    stubborn = start(folder, [sys.executable, "-c", code])
    while not (note.exists() and note.read_text()):
        time.sleep(0.02)
    grandchild = processes.find(int(note.read_text()))
    assert grandchild is not None
    serving.end_all({"server": stubborn}, patience=0.3)
    assert gone(stubborn)
    assert gone(grandchild)


def test_what_a_killed_child_left_behind_is_ended_too(folder: Path) -> None:
    note = folder / "grandchild"
    code = (
        "import subprocess, sys, time, pathlib\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        f"pathlib.Path({str(note)!r}).write_text(str(child.pid)); time.sleep(60)"
    )
    leader = start(folder, [sys.executable, "-c", code])
    while not (note.exists() and note.read_text()):
        time.sleep(0.02)
    grandchild = processes.find(int(note.read_text()))
    leader.send(signal.SIGKILL)
    assert gone(leader)
    os.waitpid(leader.pid, 0)
    assert grandchild is not None
    assert grandchild.is_alive()
    serving.end_all({"server": leader})
    assert gone(grandchild)


def test_a_second_demo_of_the_same_folder_is_refused_with_the_address_of_the_first(folder: Path) -> None:
    serving.Record(supervisor=processes.myself(), address="http://127.0.0.1:8000").write()
    with pytest.raises(Conflict, match=r"runs already at http://127\.0\.0\.1:8000") as met:
        demo._end_the_remains_of_an_earlier_one()
    assert "stop" in met.value.hint


def test_the_remains_of_a_killed_demo_are_ended_before_the_next(folder: Path) -> None:
    child = start(folder)
    dead = processes.Process(pid=child.pid, began="long ago")
    serving.Record(supervisor=dead, address="http://x", children={"server": child}).write()
    demo._end_the_remains_of_an_earlier_one()
    assert gone(child)


def test_a_taken_port_is_named_with_the_way_out() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(Conflict, match=f"Port {port} on 127.0.0.1 cannot be used") as met:
            serving.require_free_port("127.0.0.1", port)
    assert "--port" in met.value.hint


def test_waiting_for_a_server_ends_as_soon_as_it_is_gone(folder: Path) -> None:
    child = start(folder, [sys.executable, "-c", ""])
    began = time.monotonic()
    assert not serving.wait_until_ready("http://127.0.0.1:9", child=child, seconds=30)
    assert time.monotonic() - began < 10


def test_a_front_end_that_cannot_be_built_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts" / "frontend.py").write_text("import sys; print('no such module'); sys.exit(1)")
    monkeypatch.setattr(demo, "CHECKOUT", tmp_path)
    with pytest.raises(BihuanError, match="no such module"):
        demo.FrontEnd().wait()


@pytest.mark.django_db
def test_the_demo_does_not_play_among_real_people(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = {"SELECT EXISTS (SELECT FROM registry_person)": True}
    monkeypatch.setattr(demo.command, "ask", asked.get)
    monkeypatch.setattr(demo.command, "database_mark", lambda: None)
    with pytest.raises(Conflict, match="holds people already"):
        demo._refuse_real_data()


@pytest.mark.django_db
def test_an_empty_database_is_marked_as_the_demos() -> None:
    before = demo.command.database_mark()
    try:
        demo._refuse_real_data()
        assert demo.command.database_mark() == demo.MARK
        demo._refuse_real_data()
    finally:
        demo.command.mark_database(str(before or ""))


def test_the_folder_remembers_what_it_is_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BIHUAN_MODE", raising=False)
    assert (home.mode(), home.is_settled()) == ("production", False)
    home.remember_mode("demo")
    assert (home.mode(), home.is_settled()) == ("demo", True)


def test_a_secret_is_made_once_and_for_its_owner_only(folder: Path) -> None:
    first = home.make_secret("x")
    assert home.make_secret("x") == first == home.secret("x")
    assert (folder / "secrets" / "x").stat().st_mode & 0o777 == 0o600
