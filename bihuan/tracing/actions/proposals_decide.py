"""Decide about proposals: a contact, none, or a matter of another territory. A person decides, with a
criterion of the edition in force and a reason; both are kept."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from django.utils.translation import gettext as _

from bihuan.cases.actions.common import authorize, moment_now, writing, zone_of
from bihuan.cases.queries.lines import still_cases
from bihuan.registry.actor import Actor
from bihuan.registry.errors import Conflict, Invalid
from bihuan.registry.models import Person
from bihuan.tracing.actions import assistance
from bihuan.tracing.actions.confirm import ContactInput
from bihuan.tracing.actions.merge import Named, name_contacts
from bihuan.tracing.actions.proposals import RIGHT, held
from bihuan.tracing.errors import UnknownProposal
from bihuan.tracing.models import ContactProposal, Investigation
from bihuan.tracing.models.proposals import CONFIRMED, DISMISSED, PROPOSED, SENT
from bihuan.tracing.queries.criteria import contact_policy
from bihuan.tracing.queries.named import PROPOSAL_KEY
from bihuan.tracing.rules.criteria import EXPOSURE_OF, Criterion, counted_kinds

_BATCH: Final = 500
_LONGEST: Final = 120  # of the criterion a contact record keeps
_DECIDED = (
    "state", "criterion", "clause", "reason", "decided_at", "decided_by_account_id", "decided_by_post_id",
    "decided_by_name", "contact", "request",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Confirmed:
    """What a confirmation did. `contacts` are public ids in the order of the proposals asked about; `made`
    new records, `joined` exposures added to an open one, `moved` of them with a later last exposure (a
    decision on the running order is owed), `known` confirmed before."""

    contacts: tuple[str, ...]
    made: int
    joined: int
    moved: int
    known: int


def confirm_proposals(
    ids: Sequence[str],
    *,
    criterion: str,
    reason: str,
    actor: Actor,
    now: datetime | None = None,
) -> Confirmed:
    """These are close contacts, by this criterion, for this reason. Each gets a contact record in her own
    territory, from which the duties of her street follow; somebody with an open record gets the exposure
    there.

    All or none, in a fixed number of statements; what was confirmed before is told as known. Raises Invalid
    (no reason, a criterion the edition does not count, somebody unknown or elsewhere), Conflict (dismissed),
    InvestigationClosed, UnknownProposal, NotAllowed.
    """
    at = moment_now(now)
    with writing(actor):
        found, investigation = chosen(ids)
        kind, clause = _criterion(criterion, investigation, at)
        _require_reason(reason)
        known = [p for p in found if p.state == CONFIRMED]
        waiting = [p for p in found if p.state != CONFIRMED]
        people = dict(
            Person.objects.filter(id__in=[p.person_id for p in waiting]).values_list("id", "territory_code")
        )
        _refuse(waiting, _cases_of(waiting), in_sight=people.keys())
        inputs = [
            _input(p, people[p.person_id or 0], investigation.case.public_id, kind, reason, at)
            for p in waiting
        ]
        named = name_contacts(inputs, actor=actor, now=at)
        for proposal, name in zip(waiting, named, strict=True):
            proposal.criterion, proposal.clause, proposal.contact_id = kind.value, clause, name.pk
            _set(proposal, CONFIRMED, reason, actor, at)
        ContactProposal.objects.bulk_update(waiting, _DECIDED, batch_size=_BATCH)
        return _result(found, dict(zip([p.pk for p in waiting], named, strict=True)), len(known))


def _result(found: Sequence[ContactProposal], named: dict[int, Named], known: int) -> Confirmed:
    ids = tuple(
        named[p.pk].public_id if p.pk in named else (p.contact.public_id if p.contact else "") for p in found
    )
    new = list(named.values())
    return Confirmed(
        ids,
        made=sum(not n.joined for n in new),
        joined=sum(n.joined for n in new),
        moved=len({n.pk for n in new if n.moved}),
        known=known,
    )


def chosen(ids: Sequence[str]) -> tuple[list[ContactProposal], Investigation]:
    """The proposals of one open investigation, held, in the order asked. Raises Invalid (nobody chosen, or
    of several investigations), UnknownProposal, InvestigationClosed, NotAllowed."""
    wanted = list(dict.fromkeys(ids))
    if not wanted:
        raise Invalid(_("Nobody is chosen."), hint=_("Mark at least one name."), code="nobody-chosen")
    rows = ContactProposal.objects.filter(public_id__in=wanted)
    of = sorted(set(rows.values_list("investigation__public_id", flat=True)))
    if not of:
        raise UnknownProposal(wanted[0])
    if len(of) > 1:
        raise Invalid(
            _("Proposals of one investigation are decided at a time."), code="several-investigations"
        )
    investigation = held(of[0])  # first the investigation, then its rows: one order for everybody
    authorize(RIGHT, investigation.territory_code)
    locked = (
        ContactProposal.objects.select_for_update(of=("self",))
        .select_related("contact")
        .filter(public_id__in=wanted, investigation=investigation)
        .order_by("id")
    )
    found = {p.public_id: p for p in locked}
    for public_id in wanted:
        if public_id not in found:
            raise UnknownProposal(public_id)
    return [found[public_id] for public_id in wanted], investigation


def _criterion(word: str, investigation: Investigation, at: datetime) -> tuple[Criterion, str]:
    policy = contact_policy(investigation.case.territory_code, at)
    allowed = counted_kinds(policy)
    if not word.strip():
        raise Invalid(
            _("Choose the criterion by which these are close contacts."),
            hint=_("It counts: %(kinds)s.") % {"kinds": ", ".join(kind.value for kind in allowed)},
            code="criterion-needed",
            details={"field": "criterion"},
        )
    if word not in {kind.value for kind in allowed}:
        raise Invalid(
            _("The edition in force does not count “%(kind)s” as a close contact.") % {"kind": word},
            hint=_("It counts: %(kinds)s.") % {"kinds": ", ".join(kind.value for kind in allowed)},
            code="criterion-not-counted",
            details={"field": "criterion"},
        )
    kind = Criterion(word)
    quote = policy.quote("secondary" if kind is Criterion.SECONDARY else "kinds")
    return kind, quote.clause


def _require_reason(reason: str) -> None:
    if not reason.strip():
        raise Invalid(
            _("Say why, in a few words: the reason stays with the decision."),
            code="no-reason",
            details={"field": "reason"},
        )


def _cases_of(waiting: Sequence[ContactProposal]) -> set[int]:
    """Those who are cases themselves."""
    ids = [p.person_id for p in waiting if p.person_id is not None]
    return set(still_cases().filter(person__root_id__in=ids).values_list("person__root_id", flat=True))


def _refuse(waiting: Sequence[ContactProposal], cases: set[int], *, in_sight: Set[int]) -> None:
    """Whoever was dismissed or sent is not confirmed silently; nobody is confirmed who is not known, who has
    moved out of sight since, or who is a case: a case is linked, not observed as a contact."""
    errors = []
    for proposal in waiting:
        if proposal.state != PROPOSED:
            text = _("%(id)s was decided: %(state)s.")
        elif proposal.person_id not in in_sight and (proposal.person_id is not None or proposal.county):
            text = _("%(id)s lives elsewhere: ask that territory for assistance.")
        elif proposal.person_id is None:
            text = _("It is not known who %(id)s is: ask the place for its register.")
        elif proposal.person_id in cases:
            text = _("%(id)s is a case already: link the two cases instead.")
        else:
            continue
        params = {"id": proposal.public_id, "state": proposal.get_state_display()}
        errors.append(
            {"field": proposal.public_id, "rule": "undecidable", "message": text % params, "hint": ""}
        )
    if errors:
        kind = Conflict if any(p.state != PROPOSED for p in waiting) else Invalid
        message = _("%(n)s names cannot be decided so; nothing was recorded.") % {"n": len(errors)}
        raise kind(message, code="not-decidable", hint=errors[0]["message"], details={"errors": errors[:50]})


def _input(
    proposal: ContactProposal, territory_code: str, case: str, kind: Criterion, reason: str, at: datetime
) -> ContactInput:
    first, last = (_day(at, territory_code) for at in (proposal.first_at, proposal.last_at))
    places = dict.fromkeys(str(e.get("place_name") or "") for e in proposal.encounters)
    return ContactInput(
        person=int(proposal.person_id or 0),
        territory_code=territory_code,
        case=case,
        exposure_kind=EXPOSURE_OF[kind].value,
        setting="；".join(name for name in places if name)[:200],
        exposure_first=first,
        exposure_last=last,
        criterion=_kept(f"{kind.value}: {reason.strip()}"),
        source_key=f"{key_of(proposal)}{at.isoformat()}",  # taken back, it can be confirmed anew
    )


def _kept(text: str) -> str:
    """As much as a contact record holds, and that it goes on; the whole reason stays with the proposal."""
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def key_of(proposal: ContactProposal) -> str:
    """How the keys of the namings that a proposal makes begin."""
    return f"{PROPOSAL_KEY}{proposal.public_id}:"


def _day(at: datetime | None, territory_code: str) -> date | None:
    return at.astimezone(zone_of(territory_code)).date() if at is not None else None


def _set(proposal: ContactProposal, state: str, reason: str, actor: Actor, at: datetime) -> None:
    proposal.state, proposal.reason, proposal.decided_at = state, reason.strip()[:300], at
    proposal.decided_by_account_id, proposal.decided_by_post_id = actor.account_id, actor.post_id
    proposal.decided_by_name = actor.name


def dismiss_proposals(ids: Sequence[str], *, reason: str, actor: Actor, now: datetime | None = None) -> int:
    """These are no contacts, for this reason. Dismissed again changes nothing; how many were dismissed now.
    Raises Invalid, Conflict (confirmed or sent), InvestigationClosed, UnknownProposal, NotAllowed."""
    at = moment_now(now)
    with writing(actor):
        found, _investigation = chosen(ids)
        _require_reason(reason)
        waiting = [p for p in found if p.state != DISMISSED]
        decided = next((p for p in waiting if p.state != PROPOSED), None)
        if decided is not None:
            params = {"id": decided.public_id, "state": decided.get_state_display()}
            raise Conflict(
                _("%(id)s was decided: %(state)s.") % params,
                hint=_("A confirmation made in error is taken back on the contact."),
                code="not-decidable",
            )
        for proposal in waiting:
            _set(proposal, DISMISSED, reason, actor, at)
        ContactProposal.objects.bulk_update(waiting, _DECIDED, batch_size=_BATCH)
        return len(waiting)


def reconsider_proposals(
    ids: Sequence[str], *, reason: str, actor: Actor, now: datetime | None = None
) -> int:
    """Dismissed ones are proposed again: something came to light. How many were."""
    at = moment_now(now)
    with writing(actor):
        found, _investigation = chosen(ids)
        _require_reason(reason)
        waiting = [p for p in found if p.state == DISMISSED]
        for proposal in waiting:
            _set(proposal, PROPOSED, reason, actor, at)
        ContactProposal.objects.bulk_update(waiting, _DECIDED, batch_size=_BATCH)
        return len(waiting)


@dataclass(frozen=True, slots=True)
class SentAway:
    """Requests made, by proposal."""

    requests: dict[str, str]


def send_proposals(
    ids: Sequence[str], *, need: str, reason: str, actor: Actor, now: datetime | None = None
) -> SentAway:
    """People who live elsewhere: ask their county, one request each, for one need. All or none. Raises
    Invalid (somebody is not of another county), Conflict, AssistanceInvalid, InvestigationClosed,
    NotAllowed."""
    at = moment_now(now)
    with writing(actor):
        found, investigation = chosen(ids)
        _require_reason(reason)
        waiting = [p for p in found if p.state != SENT]
        for proposal in waiting:
            if not proposal.county or proposal.number is None or proposal.state != PROPOSED:
                raise Invalid(
                    _("%(id)s is not known to live in another county.") % {"id": proposal.public_id},
                    code="not-elsewhere",
                )
        for proposal in waiting:
            given = assistance.AssistanceInput(
                to_territory=proposal.county,
                need=need,
                reason=reason,
                keyed_number=proposal.number,
                case_id=investigation.case.public_id,
                investigation_id=investigation.public_id,
                exposure_last=_day(proposal.last_at, investigation.territory_code),
            )
            proposal.request = assistance.ask(given, actor=actor, now=at).public_id
            _set(proposal, SENT, reason, actor, at)
        ContactProposal.objects.bulk_update(waiting, _DECIDED, batch_size=_BATCH)
        return SentAway({p.public_id: p.request for p in found})
