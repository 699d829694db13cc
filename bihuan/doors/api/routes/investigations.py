"""Investigations: opened, the track told, drafted and judged, hypotheses, closed."""

from datetime import date, datetime, time

from ninja import Router, Schema
from pydantic import Field

from bihuan.doors.api import persons
from bihuan.doors.api.operation import Call, operation
from bihuan.doors.api.persons import IDENTITY, LOCATION, PersonRef
from bihuan.doors.api.reading import Day, DayOrMoment
from bihuan.doors.api.shapes import Many, place
from bihuan.loops.queries.sight import require_whole
from bihuan.registry import access
from bihuan.tracing.actions import investigate
from bihuan.tracing.actions.investigate import EntryInput, HypothesisInput
from bihuan.tracing.queries import investigations as reads
from bihuan.tracing.queries.investigations import EntryView, InvestigationRow

router = Router()
RIGHT, WRITE, LOOK = "investigation.view", "investigation.write", "visits.look"


class InvestigationOut(Schema):
    """`clock`: open, soon, late (still open), done, done_late, in_error (opened for the wrong
    case and closed again)."""

    id: str
    case: str
    person: PersonRef | None
    territory_code: str
    status: str
    clock: str
    opened_at: datetime
    due_at: datetime | None
    closed_at: datetime | None
    entries: int
    unconfirmed: int


class InvestigationPage(Schema):
    items: list[InvestigationOut]


class EntryOut(Schema):
    """`precision`: minute, part, day. `until` null: only the entry is known. `companions` is empty for whom
    the role does not hold names. `record`: an entry record of a gate stands behind it, which came about by
    `how`: code, card, face, hand, gate, self, interview, transport, "" (not said); null where it is not
    known. After code, self, transport or "" presence is unconfirmed."""

    id: int
    since: datetime
    until: datetime | None
    precision: str
    where: str
    place: str | None
    setting: str
    activity: str
    companions: str
    source: str
    certainty: str
    record: bool
    how: str | None


class HypothesisOut(Schema):
    id: int
    kind: str
    standing: str
    case: str | None
    place: str | None
    text: str
    reasons: str


class LookOut(Schema):
    """One look that was taken: who, what for, at what (track, met, place, common), how many lines."""

    at: datetime
    by: str
    kind: str
    purpose: str
    since: datetime
    until: datetime
    rows: int


class GapOut(Schema):
    since: datetime
    until: datetime


class TrackDayOut(Schema):
    """`told`: something confirmed or likely is known of the day."""

    day: date
    told: bool
    gaps: list[GapOut]


class InvestigationWhole(Schema):
    """`window_to` null: the case is not isolated yet. `missing`: days of the window nothing is told of."""

    investigation: InvestigationOut
    purpose: str
    legal_basis: str
    source_from: datetime
    window_from: datetime
    window_to: datetime | None
    days: list[TrackDayOut]
    missing: list[date]
    entries: list[EntryOut]
    hypotheses: list[HypothesisOut]
    looks: list[LookOut]
    contacts: int
    summary: str
    no_track_reason: str


class OpenIn(Schema):
    case: str = Field(min_length=1, max_length=20)
    purpose: str = Field(min_length=1, max_length=200)
    legal_basis: str = Field("", max_length=200)


class EntryIn(Schema):
    """Local times of the case. With `begin` known to the minute; with `part` (night, morning, afternoon,
    evening) to a part of the day; with neither the whole day, up to `end_day`."""

    day: Day
    begin: time | None = None
    end: time | None = None
    end_day: Day | None = None
    part: str = Field("", max_length=12)
    place: str = Field("", max_length=20)
    place_text: str = Field("", max_length=200)
    setting: str = Field("unknown", max_length=20)
    activity: str = Field("", max_length=300)
    companions: str = Field("", max_length=300)
    source: str = Field("interview", max_length=10)
    certainty: str = Field("confirmed", max_length=12)


class EntriesIn(Schema):
    entries: list[EntryIn] = Field(min_length=1, max_length=2000)


class JudgeIn(Schema):
    """`certainty` for entries that are so, or `reason` why they are not: those are taken back."""

    entries: list[int] = Field(min_length=1, max_length=2000)
    certainty: str = Field("", max_length=12)
    reason: str = Field("", max_length=300)


class HypothesisIn(Schema):
    kind: str = Field(min_length=1, max_length=12)
    standing: str = Field("possible", max_length=10)
    case: str = Field("", max_length=20)
    place: str = Field("", max_length=20)
    text: str = Field("", max_length=300)
    reasons: str = Field("", max_length=600)


class StandingIn(Schema):
    standing: str = Field(min_length=1, max_length=10)
    reasons: str = Field("", max_length=600)


class CloseIn(Schema):
    summary: str = Field("", max_length=4000)
    no_track_reason: str = Field("", max_length=300)
    at: DayOrMoment | None = None


class ReopenIn(Schema):
    reason: str = Field(min_length=1, max_length=300)


class PurposeIn(Schema):
    """Nobody looks at who was where without a purpose."""

    purpose: str = Field(min_length=1, max_length=200)


class DraftOut(Schema):
    state: str
    added: int
    supported: int
    known: int


@operation(router, "GET", "/investigations", right=RIGHT, response=InvestigationPage, personal=True)
def list_investigations(call: Call, territory: str = "", status: str = "") -> InvestigationPage:
    """Investigations, open ones by deadline. `status`: open, late, closed"""
    require_whole(RIGHT)
    rows = reads.list_investigations(
        status=status, territory=place(call, territory, RIGHT) if territory else ""
    )
    shown = access.field_classes(None, RIGHT) - {IDENTITY}
    persons.note(call, [row.person_id for row in rows], shown)
    refs = persons.refs(row.person_id for row in rows)
    return InvestigationPage(items=[_row(row, refs.get(row.person_id)) for row in rows])


@operation(router, "POST", "/investigations", right=WRITE, response=InvestigationOut, status=201)
def open_investigation(call: Call, body: OpenIn) -> InvestigationOut:
    """Open the investigation of a case"""
    made = investigate.open_investigation(
        body.case, purpose=body.purpose, legal_basis=body.legal_basis, actor=call.actor
    )
    return _after(made.public_id)


@operation(
    router, "GET", "/investigations/{investigation}", right=RIGHT, response=InvestigationWhole, personal=True
)
def get_investigation(call: Call, investigation: str) -> InvestigationWhole:
    """One investigation with its track, day by day"""
    view = reads.find_investigation(investigation)
    code, one = view.row.territory_code, view.investigation
    access.require(RIGHT, field_class=LOCATION, territory_code=code)
    shown = access.field_classes(None, RIGHT, territory_code=code)
    persons.note(call, [view.row.person_id], shown - {IDENTITY})
    whole = IDENTITY in shown
    return InvestigationWhole(
        investigation=_row(view.row, persons.refs([view.row.person_id]).get(view.row.person_id)),
        purpose=one.purpose_said,
        legal_basis=one.legal_basis,
        source_from=one.source_from,
        window_from=one.window_from,
        window_to=one.window_to,
        days=[
            TrackDayOut(
                day=day.day, told=day.is_told,
                gaps=[GapOut(since=gap.since, until=gap.until) for gap in day.gaps],
            )
            for day in view.days
        ],
        missing=list(view.missing),
        entries=[_entry(entry, whole=whole) for entry in view.entries],
        hypotheses=[
            HypothesisOut(
                id=h.id, kind=h.kind, standing=h.standing, case=h.case or None, place=h.place or None,
                text=h.text, reasons=h.reasons,
            )
            for h in view.hypotheses
        ],
        looks=[
            LookOut(
                at=look.at, by=look.by_name, kind=look.kind, purpose=look.purpose_said, since=look.since,
                until=look.until, rows=look.rows,
            )
            for look in view.looks
        ],
        contacts=view.contacts,
        summary=one.summary,
        no_track_reason=one.no_track_reason,
    )  # fmt: skip


@operation(router, "POST", "/investigations/{investigation}/entries", right=WRITE, response=Many, status=201)
def add_track_entries(call: Call, investigation: str, body: EntriesIn) -> Many:
    """Tell entries of the track, all or none"""
    told = [EntryInput(**entry.dict()) for entry in body.entries]
    made = investigate.add_entries(investigation, told, actor=call.actor)
    return Many(n=len(made), message="")


@operation(router, "POST", "/investigations/{investigation}/entries/judge", right=WRITE, response=Many)
def judge_track_entries(call: Call, investigation: str, body: JudgeIn) -> Many:
    """Say whether entries are so; those that are not are taken back with the reason"""
    if body.certainty:
        n = investigate.judge_entries(investigation, body.entries, certainty=body.certainty, actor=call.actor)
    else:
        n = investigate.retract_entries(investigation, body.entries, reason=body.reason, actor=call.actor)
    return Many(n=n, message="")


@operation(router, "POST", "/investigations/{investigation}/draft", right=LOOK, response=DraftOut)
def draft_track(call: Call, investigation: str, body: PurposeIn) -> DraftOut:
    """Take the entry records of the case into its track, not confirmed"""
    done = investigate.draft_track(investigation, purpose=body.purpose, actor=call.actor)
    return DraftOut(state=done.look.state, added=done.added, supported=done.supported, known=done.known)


@operation(
    router, "POST", "/investigations/{investigation}/hypotheses", right=WRITE, response=HypothesisOut,
    status=201,
)  # fmt: skip
def add_hypothesis(call: Call, investigation: str, body: HypothesisIn) -> HypothesisOut:
    """Put down where the case may have been infected"""
    one = investigate.add_hypothesis(investigation, HypothesisInput(**body.dict()), actor=call.actor)
    return HypothesisOut(
        id=one.pk, kind=one.kind, standing=one.standing, case=body.case or None, place=body.place or None,
        text=one.text, reasons=one.reasons,
    )  # fmt: skip


@operation(
    router, "POST", "/investigations/{investigation}/hypotheses/{hypothesis}", right=WRITE, response=Many
)
def judge_hypothesis(call: Call, investigation: str, hypothesis: int, body: StandingIn) -> Many:
    """Say how a hypothesis stands now"""
    investigate.judge_hypothesis(
        investigation, hypothesis, standing=body.standing, reasons=body.reasons, actor=call.actor
    )
    return Many(n=1, message="")


@operation(router, "POST", "/investigations/{investigation}/close", right=WRITE, response=InvestigationOut)
def close_investigation(call: Call, investigation: str, body: CloseIn) -> InvestigationOut:
    """Close it; the duty of the case ends with it. Days missing need a reason"""
    investigate.close_investigation(
        investigation, summary=body.summary, no_track_reason=body.no_track_reason, at=body.at,
        actor=call.actor,
    )  # fmt: skip
    return _after(investigation)


@operation(router, "POST", "/investigations/{investigation}/withdraw", right=WRITE, response=InvestigationOut)
def withdraw_investigation(call: Call, investigation: str, body: ReopenIn) -> InvestigationOut:
    """Close one opened for the wrong case; the duty to investigate stays as it is"""
    investigate.withdraw_investigation(investigation, reason=body.reason, actor=call.actor)
    return _after(investigation)


@operation(router, "POST", "/investigations/{investigation}/reopen", right=WRITE, response=InvestigationOut)
def reopen_investigation(call: Call, investigation: str, body: ReopenIn) -> InvestigationOut:
    """Work on it again, with a reason"""
    investigate.reopen_investigation(investigation, reason=body.reason, actor=call.actor)
    return _after(investigation)


def _after(public_id: str) -> InvestigationOut:
    """How it stands now."""
    row = reads.find_investigation(public_id).row
    return _row(row, None)


def _row(row: InvestigationRow, person: PersonRef | None) -> InvestigationOut:
    return InvestigationOut(
        id=row.public_id, case=row.case, person=person, territory_code=row.territory_code,
        status=row.status, clock=row.clock, opened_at=row.opened_at, due_at=row.due_at,
        closed_at=row.closed_at, entries=row.entries, unconfirmed=row.unconfirmed,
    )  # fmt: skip


def _entry(entry: EntryView, *, whole: bool) -> EntryOut:
    return EntryOut(
        id=entry.id, since=entry.since, until=entry.until, precision=entry.precision, where=entry.where,
        place=entry.place or None, setting=entry.setting, activity=entry.activity,
        companions=entry.companions if whole else "", source=entry.source, certainty=entry.certainty,
        record=entry.visit, how=entry.how,
    )  # fmt: skip
