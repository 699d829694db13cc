"""Every command of `bihuan` as Typer knows it, and files small enough to try each option on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import typer

from bihuan.config import commands
from bihuan.doors.cli import main


@dataclass(frozen=True)
class Leaf:
    """A command that does something: `words` after `bihuan`, and the command itself."""

    words: tuple[str, ...]
    command: Any

    @property
    def name(self) -> str:
        return " ".join(self.words)

    @property
    def takes(self) -> list[Any]:
        """Arguments and options with a value, those of the house's own only."""
        return [p for p in self.command.params if not getattr(p, "is_flag", False) and p.name != "help"]


def installation() -> Any:
    """The whole command line, with the commands on the installation itself."""
    main.set_up_django()
    app = typer.Typer(cls=main.Rooms)
    app.callback()(lambda: None)
    commands.register(app)
    return typer.main.get_command(app)


def groups(under: Any = None, words: tuple[str, ...] = ()) -> Iterator[Leaf]:
    """Every command and every group of commands, in the language of this moment."""
    if under is None:
        under = installation()
        children = {name: under.get_command(None, name) for name in under.list_commands(None)}
    else:
        yield Leaf(words, under)
        children = getattr(under, "commands", {})
    for name, child in children.items():
        yield from groups(child, (*words, name))


def leaves() -> list[Leaf]:
    """Commands that do something; a group too, where it can be called alone."""
    return [one for one in groups() if not getattr(one.command, "commands", None) or one.takes]


def files(folder: Path) -> dict[str, Path]:
    """What commands read, a few rows each; name to path."""
    texts = {
        "counts": "date,city,county,count,outbreak,imported\n"
        + "".join(
            f"{date(2020, 1, 1) + timedelta(i)},C,{name},{(i * 7 + j) % 9},{int(i == 55)},{i % 2}\n"
            for i in range(60)
            for j, name in enumerate("AB")
        ),
        "cases": "id,date_onset,date_onset_latest,date_report,county,infector,setting\n"
        + "".join(
            f"c{i},2020-02-{1 + i % 20:02d},2020-02-{2 + i % 20:02d},2020-02-{3 + i % 20 + i % 4:02d},"
            f"{'AB'[i % 2]},{f'c{i // 3}' if i else ''},home\n"
            for i in range(40)
        ),
        "links": "from,to\nc0,c1\nc1,c4\n",
        "points": "name,x,y,population\nA,0,0,100\nB,1,1,100\n",
        "results": "date,series,alarm,outbreak\n2020-01-01,A,0,0\n2020-01-02,A,1,1\n",
        "visits": "event,person,place,start,end\n1,ANNA,cafe,2020-02-08 09:00,2020-02-08 10:00\n"
        "2,BERT,cafe,2020-02-08 09:30,2020-02-08 10:30\n3,CARL,bus,2020-02-08 18:10,2020-02-08 18:40\n",
        "stays": "person,place,start,end\nd1,shop/school,2020-02-08,2020-02-09\n",
        "near": "t,i,j\n0,1,2\n20,1,2\n40,2,3\n",
        "asked": "person,onset\nANNA,2020-02-09\nBERT,2020-02-09\n",
        "diaries": "reporter,contact,told\nANNA,BERT,long\nBERT,CARL,short\n",
        "weights": "place,weight\ncafe,2\n",
        "places": "name,kind,capacity,id\n超市,shop,80,shop-1\n",
        "passengers": "name,id_number,carriage,row\n周小明,,7,3\n",
        "linelist": "case_id,name,sex,age,onset_date,confirmed_date,address\n"
        "1,周小明,男,30,2020-02-01,2020-02-03,湖北省十堰市张湾区\n",
        "tree": "code,name,level,kind,parent_code\n77,Westland,1,province,\n7701,West City,2,city,77\n",
    }
    found = {}
    for name, text in texts.items():
        found[name] = folder / f"{name}.csv"
        found[name].write_text(text, encoding="utf-8")
    return found
