"""Options said once are those of every command that shares them."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from typer.testing import CliRunner

from bihuan.doors.cli.grouped import grouped


@dataclass(frozen=True)
class Source:
    file: Path
    where: list[str]


def source_of(
    file: Annotated[Path, typer.Argument()],
    where: Annotated[list[str] | None, typer.Option(help="Rows that stay.")] = None,
) -> Source:
    return Source(file, where or [])


app = typer.Typer()


@app.command()
@grouped(source=source_of)
def count(source: Source, most: Annotated[int, typer.Option(help="At most so many.")] = 5) -> None:
    """Count rows."""
    typer.echo(f"{source.file.name} {source.where} {most}")


def test_a_command_is_handed_what_its_group_of_options_makes() -> None:
    told = CliRunner().invoke(app, ["cases.csv", "--where", "a=1", "--where", "b=2", "--most", "9"])
    assert told.output == "cases.csv ['a=1', 'b=2'] 9\n"
    assert CliRunner().invoke(app, ["cases.csv"]).output == "cases.csv [] 5\n"


def test_arguments_stand_first_then_the_commands_own_options_then_those_of_the_group() -> None:
    assert list(inspect.signature(count).parameters) == ["file", "most", "where"]
    told = CliRunner().invoke(app, ["--help"]).output
    assert "Count rows." in told
    assert told.index("At most so many.") < told.index("Rows that stay.")


def test_what_typer_refuses_of_a_group_is_refused_as_ever() -> None:
    told = CliRunner().invoke(app, ["--most", "9"])
    assert told.exit_code == 2
    assert "file" in told.output.lower()
