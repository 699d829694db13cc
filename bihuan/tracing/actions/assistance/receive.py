"""What comes from another installation: judged from the outside in, kept once, answered with a signed
receipt.

Who cannot prove to be a peer learns only that it is not recognized. Refusals are logged by a word, with
nothing of what was sent. There is no limit on a message's age: an old one is either known by its id, or new
and welcome.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import structlog
from django.db import transaction
from django.utils.translation import gettext as _

from bihuan.cases.actions.common import moment_now, writing
from bihuan.registry import scope, territory
from bihuan.registry.actor import Actor
from bihuan.registry.errors import BihuanError
from bihuan.registry.ids import new_id
from bihuan.tracing.actions.assistance import compare, lost, thread
from bihuan.tracing.actions.assistance.ask import LONGEST as LONGEST_REASON
from bihuan.tracing.actions.assistance.ask import reply_due
from bihuan.tracing.actions.assistance.carry import COPY_KIND, KEYS_KIND
from bihuan.tracing.actions.assistance.end import confirm_deletion
from bihuan.tracing.actions.assistance.peers import is_ours, renew_peer, speaks_for
from bihuan.tracing.actions.assistance.respond import LONGEST as LONGEST_NOTE
from bihuan.tracing.models import AssistanceMessage, AssistanceRequest, ExchangeRefusal, Peer
from bihuan.tracing.peers import envelope, keys
from bihuan.tracing.peers.envelope import Envelope, EnvelopeError
from bihuan.tracing.rules.assistance import (
    SPEAKER,
    UNKNOWN_THREAD,
    Need,
    Outcome,
    ReturnReason,
    Said,
    Side,
    Status,
    excess_fields,
    next_sequence,
)

_CODE: Final = re.compile(r"[0-9A-Za-z-]{1,64}")
_MESSAGE: Final = re.compile(r"[0-9a-f]{32}")
_SAME: Final = {"need": "need", "to_territory": "territory_code", "from_territory": "other_territory"}
_LONGEST_FIELD: Final = 300
_LONGEST_OFFICE: Final = 200
_HOUR: Final = timedelta(hours=1)
REFUSED_AN_HOUR: Final = 200
"""Refusals that are kept an hour, of each peer and of all whom nobody knows together: our own rule; the log
file has them all."""
_YEARS: Final = range(1970, 2970)
"""A clock may be wrong by years; beyond these a moment cannot be shown in every time zone."""


class Refused(BihuanError):
    """A message from outside that is not taken. `code` is one of the words of the protocol's reference."""

    def __init__(self, code: str, status: int, message: str) -> None:
        super().__init__(message, code=code)
        self.status = status


def _not_recognized() -> Refused:
    """One answer for a stranger, a wrong key, and a broken signature."""
    return Refused("not-recognized", 403, _("This installation does not recognize the sender."))


@dataclass(frozen=True, slots=True)
class _Known:
    peer: Peer
    given: Envelope
    content: Mapping[str, Any]


def receive(raw: bytes, *, now: datetime | None = None) -> dict[str, Any]:
    """Take one message from the wire; the receipt to answer with. Raises Refused.

    The same message again gets a receipt again and changes nothing.
    """
    at, claimed, peer = moment_now(now), "", None
    try:
        try:
            given = envelope.read(raw)
        except EnvelopeError as wrong:
            status = 413 if wrong.code == "too-large" else 400
            raise Refused(wrong.code, status, _("The message cannot be read.")) from None
        claimed = given.sender
        own = keys.load()
        if own is None or given.receiver != own.installation:
            raise Refused("not-for-us", 403, _("The message is for another installation."))
        with scope.system():  # a peer has no territory here
            peer = _recognized(given)
            return _take(own, peer, given, at)
    except Refused as refusal:
        _log(refusal, claimed, peer, len(raw), at)
        raise


def _log(refusal: Refused, claimed: str, peer: Peer | None, size: int, at: datetime) -> None:
    """A line in the log; a row, too, but so many an hour, or knocking would fill the table: strangers with
    anything, anybody with a message of a peer that was once overheard."""
    structlog.get_logger(__name__).warning("exchange.refused", code=refusal.code, claimed=claimed, size=size)
    with scope.system():
        lately = ExchangeRefusal.objects.filter(peer=peer, at__gt=at - _HOUR)
        if lately.count() >= REFUSED_AN_HOUR:
            return
        ExchangeRefusal.objects.create(at=at, code=refusal.code, claimed=claimed, peer=peer, size=size)


def _recognized(given: Envelope) -> Peer:
    peer = Peer.objects.filter(installation=given.sender).first()
    if peer is None or peer.key["id"] != given.key:
        raise _not_recognized()
    if not envelope.is_signed(keys.raw(peer.key["sign"]), "envelope", given.signed_part(), given.signature):
        raise _not_recognized()
    if peer.revoked_at is not None:
        raise Refused("revoked", 403, _("This installation no longer exchanges with the sender."))
    return peer


def _take(own: keys.Identity, peer: Peer, given: Envelope, at: datetime) -> dict[str, Any]:
    pair = own.key(given.sealed_for)
    if pair is None:
        raise Refused("unknown-key", 409, _("The message is sealed for a key that is not here."))
    try:
        content = envelope.unseal(given.sealed, key=pair.sealing, outside=given.open_part())
    except EnvelopeError as wrong:
        raise Refused(wrong.code, 422, _("The message does not open.")) from None
    known, more = _Known(peer, given, content), {}
    with transaction.atomic():
        if given.kind == compare.KIND:
            kept, more = True, {"missing": _compared(known, at)}
        else:
            kept = _renew(known) if given.kind == KEYS_KIND else _keep(known, at)
        Peer.objects.filter(id=peer.pk).update(last_heard_at=at)
    signer = own.key(peer.knows_key) or own.newest  # one the sender can check
    return envelope.receipt(
        given,
        key=signer.signing,
        key_id=signer.id,
        kept="new" if kept else "known",
        received_at=f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        more=more,
    )


def _compared(known: _Known, at: datetime) -> dict[str, Any]:
    try:
        return compare.heard(known.peer, known.content, at=at)
    except ValueError:
        raise _malformed() from None


def _renew(known: _Known) -> bool:
    card = known.content
    if not keys.is_card(card) or card["installation"] != known.peer.installation:
        raise _malformed()
    peer = Peer.objects.select_for_update().get(id=known.peer.pk)
    is_new = renew_peer(peer, card)
    if not is_new and peer.key["id"] != card["key"]["id"]:  # a receipt would say that we have this key
        raise Refused("older-card", 409, _("A newer card of the sender is known here."))
    return is_new


def _keep(known: _Known, at: datetime) -> bool:
    """Keep a message of a thread; False when it is here already."""
    given, peer = known.given, known.peer
    if given.kind not in {*Said, COPY_KIND} or not given.thread:
        raise _malformed()
    if given.kind == COPY_KIND:
        return _copied(known, at)
    said = Said(given.kind)
    thread.lock_thread(given.thread, peer.pk)
    before = AssistanceMessage.objects.filter(message=given.message, request__peer=peer).first()
    if before is not None:
        if before.said != said or before.is_own or before.request.thread != given.thread:
            raise Refused("message-reused", 422, _("This message id belongs to another message."))
        return False
    actor = Actor.system(peer.name, door="exchange")
    with writing(actor):
        side = SPEAKER[said].other  # ours
        row = AssistanceRequest.objects.filter(peer=peer, thread=given.thread, side=side).first()
        if said is Said.REQUEST:
            row = _lay_down(known, at) if row is None else _asked_again(known, row, at)
        elif row is None or row.status == Status.DRAFT:
            row = _taken_up(known, row, actor, at)
        else:
            lost.heard_again([row.pk], at=at)
        kept = _in_place(_kept(known, said), row)
        thread.keep(row, kept, is_own=False, actor=actor, at=at)
        _follow(row, said, at)
    return True


def _copied(known: _Known, at: datetime) -> bool:
    """A request of ours that the other side has and we do not: taken up, though nothing was said of it yet.
    False when it is here."""
    thread.lock_thread(known.given.thread, known.peer.pk)
    rows = AssistanceRequest.objects.filter(peer=known.peer, thread=known.given.thread, side=Side.ASKING)
    row = rows.first()
    if row is not None and row.status != Status.DRAFT:
        return False
    actor = Actor.system(known.peer.name, door="exchange")
    with writing(actor):
        _taken_up(known, row, actor, at)
    return True


def _in_place(kept: thread.Kept, row: AssistanceRequest) -> thread.Kept:
    """A new message under a number that is taken: the sender came back from an older backup and counts anew.
    It says something new, and gets the next number here."""
    before = thread.messages_of(row)
    side = Side(row.side).other
    if all(m.sequence != kept.sequence for m in before if m.side is side):
        return kept
    return replace(kept, sequence=next_sequence(before, side))


def _asked_again(known: _Known, row: AssistanceRequest, at: datetime) -> AssistanceRequest:
    """The request once more as a new message: the sender came back from a backup in which it was a draft.
    What we said since goes there again."""
    asked = _read_request(known.content)
    if any(asked[name] != getattr(row, has) for name, has in _SAME.items()):
        raise Refused("thread-taken", 422, _("There is a request of this number."))
    lost.say_again([row.pk], at=at)
    lost.heard_again([row.pk], at=at)
    return row


def _taken_up(
    known: _Known, draft: AssistanceRequest | None, actor: Actor, at: datetime
) -> AssistanceRequest:
    """A request that is not here, or a draft: taken up from the copy that the asked side sends when it hears
    so. Only what we can have asked it, under a number of ours that nothing else has."""
    copy, thread_id, kind = known.content.get("copy"), known.given.thread, known.given.kind
    is_theirs = kind == COPY_KIND or SPEAKER[Said(kind)] is Side.ASKED
    if not is_theirs or not isinstance(copy, dict):
        raise Refused(UNKNOWN_THREAD, 409, _("There is no request of this number yet."))
    asked = _read_request({"request": copy}, is_copy=True)
    message, sequence = copy.get("message"), copy.get("sequence")
    is_number = isinstance(sequence, int) and not isinstance(sequence, bool) and 0 < sequence < 2**31
    if not is_number or not _is_text(message, 32) or not _MESSAGE.fullmatch(str(message)):
        raise _malformed()
    if (message == known.given.message) != (kind == COPY_KIND) or not _is_text(copy.get("created_at"), 20):
        raise _malformed()
    said_at = _moment(copy["created_at"])
    code = asked["from_territory"]
    is_plausible = thread_id.startswith("R-") and speaks_for(known.peer, asked["to_territory"])
    if not is_plausible or not is_ours(code) or territory.find(code) is None:
        raise Refused("not-asked", 422, _("This installation cannot have asked that of the sender."))
    others = AssistanceRequest.objects.filter(public_id=thread_id).exclude(id=draft.pk if draft else None)
    is_same = draft is None or (draft.need, draft.territory_code, draft.other_territory) == (
        asked["need"],
        code,
        asked["to_territory"],
    )
    if others.exists() or not is_same:
        raise Refused("thread-taken", 422, _("There is a request of this number."))
    asked |= {"message": message, "sequence": sequence}
    return lost.take_up(known.peer, thread_id, asked, draft=draft, said_at=said_at, actor=actor, at=at)


def _follow(row: AssistanceRequest, said: Said, at: datetime) -> None:
    """What a message makes this side do by itself."""
    if said is Said.REQUEST and not row.is_served:
        data = {"reason": ReturnReason.NOT_SERVED.value}
        thread.say(row, Said.RETURN, actor=Actor.system("assistance"), at=at, data=data)
    if said is Said.END:
        confirm_deletion(row, at=at)


def _lay_down(known: _Known, at: datetime) -> AssistanceRequest:
    """This side's row of a request that came."""
    asked = _read_request(known.content)
    if not speaks_for(known.peer, asked["from_territory"]):
        raise Refused("not-theirs", 422, _("The sender does not speak for the territory it asks for."))
    served = _is_served(asked["to_territory"])
    row = AssistanceRequest(
        public_id=new_id("R"),
        territory_code=asked["to_territory"],
        side=Side.ASKED.value,
        thread=known.given.thread,
        other_territory=asked["from_territory"],
        other_office=f"{known.peer.name} · {asked['office']}"[:200],
        peer=known.peer,
        need=asked["need"],
        clause=asked["clause"],
        shared=asked["shared"],
        is_served=served,
        created_at=at,
        received_at=at,
        by_name=known.peer.name,
    )
    if served:
        row.told = thread.lock_away(row, asked["told"])
        row.own_office = territory.name_path(row.territory_code)[:200]
        row.reply_due_at = reply_due(Need(row.need), row.territory_code, row.territory_code, at)
    row.save()
    return row


def _is_served(code: str) -> bool:
    own = keys.own()
    is_ours = not own.serves or any(above <= code < above + scope.LAST for above in own.serves)
    return is_ours and territory.find(code) is not None


# --- what may stand in a message ----------------------------------------------------------------------


def _read_request(content: Mapping[str, Any], *, is_copy: bool = False) -> dict[str, Any]:
    """The request's own part, every text measured, and no field that its need does not justify. In a copy
    what was told may be deleted; the names of what was shared stand nevertheless."""
    asked = content.get("request")
    if not isinstance(asked, dict):
        raise _malformed()
    texts = ("need", "clause", "to_territory", "from_territory", "office")
    if any(not _is_text(asked.get(name), _LONGEST_OFFICE) for name in texts) or asked["need"] not in set(
        Need
    ):
        raise _malformed()
    if not all(_CODE.fullmatch(asked[name]) for name in ("to_territory", "from_territory")):
        raise _malformed()
    shared, told = asked.get("shared"), asked.get("told")
    if not isinstance(shared, list) or not isinstance(told, dict):
        raise _malformed()
    fields = told.get("fields")
    names = set(map(str, shared))
    if not isinstance(fields, dict) or (set(fields) != names and not (is_copy and not fields)):
        raise _malformed()
    if any(not _is_text(text, _LONGEST_FIELD) for text in fields.values()):
        raise _malformed()
    if any(not _is_text(told.get(name, ""), LONGEST_REASON) for name in ("reason", "question")):
        raise _malformed()
    if excess_fields(Need(asked["need"]), names):
        raise Refused("excess-fields", 422, _("More was shared than the need justifies; nothing was kept."))
    return {
        **{name: asked[name] for name in texts},
        "clause": asked["clause"][:40] or "D4-17e",
        "office": asked["office"][:120],
        "shared": sorted(names),
        "told": {name: told.get(name, "") for name in ("fields", "reason", "question")},
    }


def _kept(known: _Known, said: Said) -> thread.Kept:
    given, content = known.given, known.content
    data, note = content.get("data"), content.get("note", "")
    if not isinstance(data, dict) or not _is_text(note, LONGEST_NOTE) or given.sequence < 1:
        raise _malformed()
    return thread.Kept(
        said=said,
        message=given.message,
        sequence=given.sequence,
        data=_checked_data(said, data),
        said_at=_moment(given.created_at),
        note=note,
        digest=given.digest,
        key=given.key,
        envelope={**given.open_part(), "signature": given.signature},
    )


def _moment(text: str) -> datetime:
    """The sender's clock: told, never judged, but a moment."""
    try:
        found = datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise _malformed() from None
    if found.year not in _YEARS:
        raise _malformed()
    return found


def _checked_data(said: Said, data: Mapping[str, Any]) -> dict[str, Any]:
    """Only words of the rules are kept in the log."""
    if said is Said.ANSWER:
        if data.get("outcome") not in list(Outcome) or not isinstance(data.get("final"), bool):
            raise _malformed()
        return {"outcome": data["outcome"], "final": data["final"]}
    if said is Said.RETURN:
        if data.get("reason") not in list(ReturnReason):
            raise _malformed()
        return {"reason": data["reason"]}
    if said is Said.ACCEPT:
        return {"confirmed": bool(data.get("confirmed"))}
    return {}


def _is_text(text: Any, longest: int) -> bool:
    """A text that can be kept: not too long, no NUL, no half of a character."""
    if not isinstance(text, str) or len(text) > longest or "\x00" in text:
        return False
    return not any("\ud800" <= letter <= "\udfff" for letter in text)


def _malformed() -> Refused:
    return Refused("malformed", 400, _("The message cannot be read."))
