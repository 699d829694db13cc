"""What people do with single duties, and with thousands: each is an event in the log, so that a replay
knows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from bihuan.loops import bindings, store
from bihuan.loops.actions.record import NewEvent, RecordResult, record
from bihuan.loops.errors import (
    CannotTakeOver,
    EvidenceMissing,
    NotHandedOver,
    NotOpen,
    NotPlain,
    ReasonMissing,
    UnknownDuty,
    UnknownLoop,
)
from bihuan.loops.queries.takers import why_not
from bihuan.loops.rules.bound import BoundDuty
from bihuan.loops.rules.definition import LOOP_CLOSED
from bihuan.loops.rules.words import DUTY_DONE, DUTY_HANDED_OVER, DUTY_KEY, DUTY_WAIVED, FUTURE, RETRACTED
from bihuan.registry import access, clock, posts, scope
from bihuan.registry.actor import Actor

_BY_ACTION: set[str] = set()


def only_by_action(*kinds: str) -> None:
    """Rooms say, once, which events only their own actions tell: a rule of theirs decides that plain evidence
    cannot show. No duty is completed into such an event."""
    _BY_ACTION.update(kinds)


@dataclass(frozen=True, slots=True)
class _Target:
    """A duty to act on, with what is needed to speak of it in its subject's log."""

    id: int
    key: str
    kind: str
    state: int
    owner_post_id: int
    territory_code: str
    ended_event_id: int | None
    subject_kind: str
    subject_ref: str
    rule: BoundDuty
    loop_id: int

    def event(
        self, kind: str, at: datetime, data: Mapping[str, Any], *, precision: str = "minute"
    ) -> NewEvent:
        return NewEvent(
            subject_kind=self.subject_kind, subject_id=self.subject_ref, kind=kind, at=at,
            at_precision=precision, data=data, territory_code="",
        )  # fmt: skip


def _find(duty_ids: Sequence[int]) -> list[_Target]:
    """Duties within the scope acted in. Raises UnknownDuty naming the first that is not there."""
    bounds = scope.bounds()
    lo, hi = bounds if bounds else ("", "")
    rows = store.fetch(
        "SELECT d.id, d.key, d.kind, d.state, d.owner_post_id, d.territory_code, d.ended_event_id,"
        " s.kind, s.ref,"
        " d.binding_id, d.loop_id FROM loops_duty d JOIN loops_loop l ON l.id = d.loop_id"
        " JOIN loops_subject s ON s.id = l.subject_id"
        " WHERE d.id = ANY(%s) AND d.territory_code >= %s AND d.territory_code < %s ORDER BY d.id",
        [list(duty_ids), lo, hi],
    )
    bound = bindings.load({row[9] for row in rows})
    found = [_Target(*row[:9], bound[row[9]].duties[row[2]], row[10]) for row in rows]  # type: ignore[call-arg]
    missing = sorted(set(duty_ids) - {t.id for t in found})
    if missing:
        raise UnknownDuty(
            _("There is no duty D-%(id)s here.") % {"id": missing[0]}, details={"missing": missing}
        )
    return found


def _require(targets: Sequence[_Target], right: str) -> None:
    for post, place in {(t.owner_post_id, t.territory_code) for t in targets}:
        access.require(right, post_id=post, territory_code=place)


def _require_open(targets: Sequence[_Target]) -> None:
    ended = [t.id for t in targets if t.state != 0]
    if ended:
        raise NotOpen(
            _("D-%(id)s has ended already.") % {"id": ended[0]},
            hint=_("Undo its end first, if that was wrong."),
            details={"ended": ended},
        )


def _require_plain(targets: Sequence[_Target]) -> None:
    for t in targets:
        if t.rule.done_on and t.rule.done_on[0] in _BY_ACTION:
            raise NotPlain(
                _("D-%(id)s is not ended by plain evidence.") % {"id": t.id},
                hint=_("Do it by its own form: %(verb)s.") % {"verb": t.rule.verb or t.rule.done_on[0]},
                details={"verb": t.rule.verb},
            )


def _require_evidence(targets: Sequence[_Target], evidence: Mapping[str, Any]) -> None:
    asked = {key for t in targets for key in t.rule.evidence}
    missing = sorted(key for key in asked if evidence.get(key) in (None, ""))
    if missing:
        raise EvidenceMissing(
            _("Evidence is missing: %(keys)s.") % {"keys": ", ".join(missing)},
            errors=[
                {"field": k, "rule": "evidence", "message": _("is asked for"), "hint": ""} for k in missing
            ],
        )


def _require_reason(reason: str) -> str:
    said = reason.strip()
    if not said:
        raise ReasonMissing(_("Say why."), errors=[{"field": "reason", "rule": "reason",
        "message": _("is asked for"), "hint": ""}])  # fmt: skip
    return said[:300]


def complete_duty(
    duty_id: int, evidence: Mapping[str, Any], at: datetime, actor: Actor, *, at_precision: str = "minute"
) -> RecordResult:
    """End one open duty with evidence, true at `at`. Raises UnknownDuty, NotOpen, EvidenceMissing,
    NotPlain, NotAllowed.

    Says the duty's own event in the log (its first `done_on`), so what follows from it follows. Facts of
    other rooms (a reading, a placement) are written by their actions, which call `record`.
    """
    return _complete([duty_id], evidence, at, actor, right="duty.do", precision=at_precision)


def complete_bulk(
    duty_ids: Sequence[int],
    evidence: Mapping[str, Any],
    at: datetime,
    actor: Actor,
    *,
    at_precision: str = "minute",
) -> int:
    """End many open duties with the same evidence in one transaction; returns how many ended."""
    return _complete(duty_ids, evidence, at, actor, right="duty.bulk", precision=at_precision).duties_ended


def _complete(
    duty_ids: Sequence[int],
    evidence: Mapping[str, Any],
    at: datetime,
    actor: Actor,
    *,
    right: str,
    precision: str,
) -> RecordResult:
    with transaction.atomic():
        targets = _find(duty_ids)
        _require(targets, right)
        _require_open(targets)
        _require_plain(targets)
        _require_evidence(targets, evidence)
        return record(
            [
                t.event(
                    t.rule.done_on[0] if t.rule.done_on else DUTY_DONE,
                    at,
                    {**evidence, **_matching(t.rule), DUTY_KEY: t.key},
                    precision=precision,
                )
                for t in targets
            ],
            actor=actor,
        )


def _matching(rule: BoundDuty) -> dict[str, Any]:
    """What the event must hold to end the duty, where that is one value."""
    return {key: wanted for key, wanted in rule.match if not isinstance(wanted, list)}


def undo_completion(duty_id: int, reason: str, actor: Actor) -> RecordResult:
    """Take back the event that ended a duty, and with it what followed. The duty is owed again."""
    said = _require_reason(reason)
    with transaction.atomic():
        [target] = _find([duty_id])
        _require([target], "duty.do")
        if target.state not in (1, 2) or target.ended_event_id is None:
            raise NotOpen(_("D-%(id)s was not ended by anybody.") % {"id": duty_id})
        data = {"event": target.ended_event_id, "reason": said, DUTY_KEY: target.key}
        return record([target.event(RETRACTED, clock.now(), data)], actor=actor)


def waive(duty_id: int, reason: str, actor: Actor) -> RecordResult:
    """End an open duty without its being done; the reason and the name stay with it."""
    return waive_bulk([duty_id], reason, actor)


def waive_bulk(duty_ids: Sequence[int], reason: str, actor: Actor) -> RecordResult:
    """Waive many open duties for one reason."""
    said = _require_reason(reason)
    with transaction.atomic():
        targets = _find(duty_ids)
        _require(targets, "duty.waive")
        _require_open(targets)
        now = clock.now()
        return record(
            [t.event(DUTY_WAIVED, now, {DUTY_KEY: t.key, "reason": said}) for t in targets], actor=actor
        )


def hand_over(duty_id: int, to_post: int, reason: str, actor: Actor, *, future: bool = False) -> RecordResult:
    """Let another post owe an open duty; with `future` also what a repeating duty owes later in its loop.

    The post must hold the duty's territory, or one of its holders have been lent a post that does. Raises
    UnknownDuty, NotOpen, NotAllowed, UnknownPost, and CannotTakeOver saying why that post may not.
    """
    said = _require_reason(reason)
    with transaction.atomic():
        [target] = _find([duty_id])
        _require([target], "duty.do")
        _require_open([target])
        _require_taker(target, to_post)
        data = {DUTY_KEY: target.key, "post": to_post, "reason": said}
        if future and target.rule.repeat is not None:
            data[FUTURE] = True
        return record([target.event(DUTY_HANDED_OVER, clock.now(), data)], actor=actor)


def _require_taker(target: _Target, to_post: int) -> None:
    post = posts.get(to_post)
    wrong = why_not(post, target.territory_code)
    if post.id == target.owner_post_id:
        wrong = _("it owes this duty already")
    if not wrong:
        return
    message = _("%(post)s cannot take over D-%(id)s: %(why)s.") % {
        "post": post.label,
        "id": target.id,
        "why": wrong,
    }
    raise CannotTakeOver(
        message,
        hint=_("Choose a post of %(code)s or above.") % {"code": target.territory_code},
        errors=[{"field": "to", "rule": "territory", "message": message, "hint": ""}],
    )


def take_back(duty_id: int, reason: str, actor: Actor) -> RecordResult:
    """Undo the last hand-over of an open duty: who owed it before owes it again.

    Who may do the duty may, and who handed it over. Raises UnknownDuty, NotOpen, NotHandedOver, NotAllowed.
    """
    said = _require_reason(reason)
    with transaction.atomic():
        [target] = _find([duty_id])
        _require_open([target])
        event, from_post = _last_hand_over(target)
        current = scope.current()
        if current is None or from_post not in current.posts:
            _require([target], "duty.do")
        data = {"event": event, "reason": said, DUTY_KEY: target.key}
        return record([target.event(RETRACTED, clock.now(), data)], actor=actor)


def _last_hand_over(target: _Target) -> tuple[int, int | None]:
    """The event that handed a duty over last and still stands, and the post that did so."""
    with scope.system():  # an event bears the territory it told of, which may be none
        rows = store.fetch(
            "SELECT e.id, e.post_id FROM loops_event e JOIN loops_subject s ON s.id = e.subject_id"
            " WHERE s.kind = %s AND s.ref = %s AND e.kind = %s AND e.data ->> %s = %s AND NOT EXISTS"
            " (SELECT FROM loops_event r WHERE r.subject_id = e.subject_id AND r.kind = %s"
            "  AND r.data -> 'event' = to_jsonb(e.id))"
            " ORDER BY e.at DESC, e.id DESC LIMIT 1",
            [target.subject_kind, target.subject_ref, DUTY_HANDED_OVER, DUTY_KEY, target.key, RETRACTED],
        )
    if not rows:
        raise NotHandedOver(_("Nobody has handed D-%(id)s over.") % {"id": target.id})
    return rows[0][0], rows[0][1]


def hand_loop_over(from_loop: str, to_loop: str) -> None:
    """Note that one loop was carried on by another (a contact became a case). Public ids."""
    with transaction.atomic(), scope.system():
        rows = dict(
            store.fetch(
                "SELECT public_id, id FROM loops_loop WHERE public_id = ANY(%s)", [[from_loop, to_loop]]
            )
        )
        for public_id in (from_loop, to_loop):
            if public_id not in rows:
                raise UnknownLoop(_("There is no loop %(id)s.") % {"id": public_id})
        store.fetch(
            "UPDATE loops_loop SET handed_to_id = %s WHERE id = %s RETURNING id",
            [rows[to_loop], rows[from_loop]],
        )


def take_hand_over_back(subject_kind: str, subject_ref: str) -> None:
    """The loops of a subject were carried on by none: whom they went on with was somebody else."""
    with transaction.atomic(), scope.system():
        store.fetch(
            "UPDATE loops_loop SET handed_to_id = NULL WHERE handed_to_id IS NOT NULL"
            " AND subject_id = (SELECT id FROM loops_subject WHERE kind = %s AND ref = %s) RETURNING id",
            [subject_kind, subject_ref],
        )


def close_loop(public_id: str, outcome: str, reason: str, actor: Actor) -> RecordResult:
    """Close a loop by decision of a command post; what is open falls away."""
    said = _require_reason(reason)
    with transaction.atomic():
        rows = store.fetch(
            "SELECT s.kind, s.ref, l.territory_code FROM loops_loop l JOIN loops_subject s ON s.id ="
            " l.subject_id"
            " WHERE l.public_id = %s",
            [public_id],
        )
        if not rows:
            raise UnknownLoop(_("There is no loop %(id)s.") % {"id": public_id})
        kind, ref, place = rows[0]
        access.require("duty.waive", territory_code=place)
        data = {"outcome": outcome, "reason": said}
        return record([NewEvent(kind, ref, LOOP_CLOSED, clock.now(), "", data=data)], actor=actor)
