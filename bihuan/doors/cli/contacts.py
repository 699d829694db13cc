"""`bihuan contacts`: who was proposed as a contact of a case, passenger lists, how contact tracing goes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from django.utils.translation import gettext as _
from rich.console import Console

from bihuan.care.queries.indicators import DAYS, Indicator, Indicators, tracing_indicators
from bihuan.doors.cli.moments import moment_of, the_moment
from bihuan.doors.cli.output import Json, show, table
from bihuan.doors.exchange.passenger_list import read_passengers
from bihuan.registry import audit, territory
from bihuan.registry.actor import Actor
from bihuan.registry.errors import Invalid
from bihuan.registry.masking import mask_name
from bihuan.tracing.actions.proposals import ManifestResult, propose_manifest
from bihuan.tracing.queries.proposals import (
    PARTS,
    ProposalFilter,
    ProposalList,
    ProposalRow,
    list_proposals,
)
from bihuan.tracing.rules.seats import Seat, Vehicle, VehicleKind

app = typer.Typer(no_args_is_help=True, help="Contacts of a case: who was proposed, how tracing goes.")


@app.command("list")
def list_all(
    investigation: Annotated[str, typer.Argument(help="Number of the investigation, I-…")],
    part: Annotated[
        str,
        typer.Option(
            "--part", help="open, unknown, elsewhere, second, confirmed, dismissed, sent; default: open."
        ),
    ] = "open",
    json: Json = False,
) -> None:
    """List who was proposed as a contact, names masked. That they were shown is logged.

    bihuan contacts list I-7K2M9Q4TXW --part confirmed
    """
    if part not in PARTS:
        raise Invalid(
            _("There is no part %(part)s.") % {"part": part},
            hint=_("Choose one of: %(parts)s.") % {"parts": ", ".join(PARTS)},
        )
    found = list_proposals(investigation, ProposalFilter(part=part))
    with audit.through("cli", name=_("command line")):
        ids = [row.person_id for row in found.rows if row.person_id is not None]
        if ids:
            audit.log_read(ids, ["operational"], f"bihuan contacts list {investigation}")
    data = {
        "investigation": investigation,
        "part": part,
        "counts": found.counts,
        "contacts": [_row(row) for row in found.rows],
    }
    show(data, json=json, human=lambda console: _show(console, found))


def _row(row: ProposalRow) -> dict[str, Any]:
    """A name without whereabouts: those stand on the page, behind the purpose of the investigation."""
    return {
        "id": row.public_id,
        "state": row.state,
        "person": row.person.public_id if row.person else None,
        "name": mask_name(row.person.name) if row.person else "",
        "county": row.county,
        "score": round(row.score, 4),
        "minutes": row.minutes,
        "times": row.times,
        "criterion": row.criterion,
        "reason": row.reason,
        "contact": row.contact or None,
        "request": row.request or None,
    }


def _show(console: Console, found: ProposalList) -> None:
    table(
        console,
        [
            {
                _("proposal"): row.public_id,
                _("name"): mask_name(row.person.name) if row.person else row.county or "–",
                _("score"): f"{row.score:.2f}",
                _("minutes"): row.minutes,
                _("times"): row.times,
                _("contact"): row.contact or row.request or "–",
                _("reason"): " ".join(filter(None, (row.criterion, row.reason))),
            }
            for row in found.rows
        ],
    )
    console.print(" · ".join(f"{part} {n}" for part, n in found.counts.items() if n))


@app.command("manifest")
def manifest(
    investigation: Annotated[str, typer.Argument(help="Number of the investigation, I-…")],
    file: Annotated[Path, typer.Argument(help="CSV, TSV, XLS, XLSX or ODS with a column name or id_number.")],
    kind: Annotated[VehicleKind, typer.Option("--kind", help="What it was.")],
    ended: Annotated[str, typer.Option("--ended", help="End of the journey, local: 2020-02-11T12:40.")],
    vehicle: Annotated[str, typer.Option("--vehicle", help="Number, as on the ticket: G1234.")] = "",
    sealed: Annotated[
        bool | None, typer.Option("--sealed/--ventilated", help="Of a carriage or coach; default: not known.")
    ] = None,
    carriage: Annotated[str, typer.Option("--carriage", help="Carriage, deck or area of the case.")] = "",
    row: Annotated[int | None, typer.Option("--row", min=1, max=999, help="Row or bay of the case.")] = None,
    room: Annotated[str, typer.Option("--room", help="Compartment or cabin of the case.")] = "",
    encoding: Annotated[str, typer.Option(help="Of a CSV; recognized by itself.")] = "",
    json: Json = False,
) -> None:
    """Propose those of a passenger list who sat near the case, by the edition in force; keep no others.

    Columns: name, id_number, phone, carriage, row or seat, room, role, territory, address.

    bihuan contacts manifest I-7K2M9Q4TXW g1234.csv --kind train --ended 2020-02-11 --carriage 7 --sealed
    """
    at = the_moment(ended, day_is_its_end=True)
    done = propose_manifest(
        investigation, read_passengers(file, encoding=encoding), vehicle=Vehicle(kind, sealed, vehicle),
        case_seat=Seat(carriage, row, room), day=at, actor=Actor.system("bihuan contacts", door="cli"),
    )  # fmt: skip
    data = {"proposed": done.proposed, "joined": done.joined, "judged": done.judged, "apart": done.apart}
    show(data, json=json, human=lambda console: _tell_manifest(console, done))


def _tell_manifest(console: Console, done: ManifestResult) -> None:
    words = {"n": done.proposed, "judged": done.judged, "apart": done.apart}
    console.print(_("%(n)s proposed (%(judged)s to be judged); %(apart)s sat too far away.") % words)
    if done.joined:
        console.print(_("%(n)s were on the list already: the seat was added.") % {"n": done.joined})


@app.command("indicators")
def indicators(
    territory_code: Annotated[
        str, typer.Option("--territory", help="Territory code; empty for everywhere.")
    ] = "",
    as_of: Annotated[str, typer.Option("--as-of", help="Local time; a day alone is its end.")] = "",
    days: Annotated[int, typer.Option("--days", min=1, max=366, help="Days looked back over.")] = DAYS,
    json: Json = False,
) -> None:
    """How contact tracing goes: shares with what they are made of, their targets, and who says so.

    bihuan contacts indicators --territory 420303 --as-of 2020-02-14
    """
    code = territory.resolve(territory_code).code if territory_code else ""
    at = moment_of(as_of, tz=territory.tz_of(code) if code else "", day_is_its_end=True)
    found = tracing_indicators(code, as_of=at, days=days)
    data = {
        "territory": found.territory,
        "as_of": found.as_of,
        "days": found.days,
        "indicators": [
            {
                "key": one.key, "numerator": one.numerator, "denominator": one.denominator,
                "value": one.value, "target": one.target, "at_least": one.at_least, "met": one.is_met,
                "is_ratio": one.is_ratio, "source": one.source, "confidence": one.confidence,
            }
            for one in found.rows
        ],
    }  # fmt: skip
    show(data, json=json, human=lambda console: _tell(console, found))


def _tell(console: Console, found: Indicators) -> None:
    labels = {
        "traced_72h": _("contacts traced within 72 hours"),
        "placed_24h": _("contacts placed within 24 hours"),
        "followed_today": _("followed up today"),
        "symptomatic_24h": _("contacts with symptoms sampled within 24 hours"),
        "completing": _("observations completed"),
        "among_contacts": _("cases among known contacts"),
        "in_quarantine": _("cases found under observation"),
        "unlinked": _("cases without a link"),
        "without_contacts": _("cases without a contact"),
        "interviewed_24h": _("investigated within 24 hours"),
        "interviews_per_case": _("interviews for one case found"),
    }
    table(
        console,
        [
            {
                _("indicator"): labels[one.key],
                _("value"): _value(one),
                _("of"): f"{one.numerator:,} / {one.denominator:,}",
                _("target"): "" if one.target is None else f"{'≥' if one.at_least else '≤'} {one.target:.0%}",
                _("source"): one.source,
            }
            for one in found.rows
        ],
    )


def _value(one: Indicator) -> str:
    if one.value is None:
        return "–"
    return f"{one.value:.1f}" if one.is_ratio else f"{one.value:.0%}"
