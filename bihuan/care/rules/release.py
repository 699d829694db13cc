"""May this person be released from observation now? Pure; the answer always carries its reasons.

Three ways: the order's planned end has passed (nobody is held beyond it), the last day has come with every
required test negative, or an early reason exists. A missed daily check is owed by those who had to do it and
never holds a person.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum

from bihuan.cases.rules import Decision, Reason

RULE = "observation.release"
MOVE = "observation.move"
CLAUSE = "D4-17d"
VALUES = ("observation.days", "observation.tests_on")


class ReleaseReason(StrEnum):
    COMPLETED = "completed"
    SOURCE_EXCLUDED = "source_excluded"
    GENERAL_CONTACT = "general_contact"
    APPEAL_UPHELD = "appeal_upheld"
    APPEAL_UNANSWERED = "appeal_unanswered"
    DIED = "died"
    NAMED_IN_ERROR = "named_in_error"
    JOINED = "joined"


#: `JOINED` frees nobody: she is observed as another contact of hers.
EARLY_REASONS = frozenset(ReleaseReason) - {ReleaseReason.COMPLETED, ReleaseReason.JOINED}


@dataclass(frozen=True, slots=True)
class ReleaseFacts:
    """`last` = last day under the order; `ends_at` = its end, an instant; `today` = local date of `now`.

    `tests` maps each date a test is due to its result ("" = none yet). `symptoms_open` = a symptom
    was told and no
    test after it. `other_last` = last day of another live obligation of the same person, if any. Of a contact
    of a contact, `between` = the results of each close contact between, as sampled, the first
    `source_negatives` of which must be negative (0 = not asked).
    """

    now: datetime
    today: date
    last: date
    ends_at: datetime
    tests: Mapping[date, str] = field(default_factory=dict)
    symptoms_open: bool = False
    other_last: date | None = None
    source_negatives: int = 0
    between: tuple[tuple[str, ...], ...] = ()


def test_day(taken: date, days: Sequence[date]) -> date | None:
    """The test day that a specimen answers: the last of `days` up to the day it was taken; None = before the
    first. Test days are days of observation (protocols, 4): a specimen from before a day says nothing of it,
    and nobody is released on the last day before that day's test (16, trap 1)."""
    return max((day for day in days if day <= taken), default=None)


def may_release(facts: ReleaseFacts, reason: ReleaseReason = ReleaseReason.COMPLETED) -> Decision:
    """Decide a release for `reason`. A refusal lists everything that stands against it."""
    if reason in EARLY_REASONS:
        return _early(facts, reason)
    if facts.now >= facts.ends_at and (facts.other_last is None or facts.today > facts.other_last):
        params = {"last": facts.last.isoformat()}
        text = "The order ended with %(last)s; nobody is held beyond it."
        return Decision(True, (Reason("end_reached", text, params), *_owed(facts)), RULE, CLAUSE, VALUES)
    against = [*_too_early(facts), *_owed(facts)]
    if against:
        return Decision(False, tuple(against), RULE, CLAUSE, VALUES)
    text = "The last day (%(last)s) has come and every required test is negative."
    done = Reason("completed", text, {"last": facts.last.isoformat()})
    return Decision(True, (done,), RULE, CLAUSE, VALUES)


def may_move(facts: ReleaseFacts) -> Decision:
    """May this person go home for the second stage? `facts` are those of the first: its last day, its end,
    its tests. Like a release: with every test negative on the last day, and in any case once the end has
    passed; what is owed then is told with the answer."""
    params = {"last": facts.last.isoformat()}
    if facts.now >= facts.ends_at:
        text = "The days at a site ended with %(last)s; nobody is held there beyond it."
        return Decision(True, (Reason("end_reached", text, params), *_owed(facts)), MOVE, CLAUSE, VALUES)
    against = list(_owed(facts))
    if facts.today < facts.last:
        against.insert(
            0, Reason("too_early", "Observation at a site lasts until the end of %(last)s.", params)
        )
    if against:
        return Decision(False, tuple(against), MOVE, CLAUSE, VALUES)
    text = "The last day at a site (%(last)s) has come and every required test is negative."
    return Decision(True, (Reason("completed", text, params),), MOVE, CLAUSE, VALUES)


def _early(facts: ReleaseFacts, reason: ReleaseReason) -> Decision:
    if (
        reason == ReleaseReason.SOURCE_EXCLUDED
        and facts.other_last is not None
        and facts.today <= facts.other_last
    ):
        text = "Another exposure still obliges until %(other)s; the longest obligation holds."
        held = Reason("other_obligation", text, {"other": facts.other_last.isoformat()})
        return Decision(False, (held,), RULE, CLAUSE, VALUES)
    return Decision(True, (Reason(reason.value, _EARLY_TEXT[reason]),), RULE, CLAUSE, VALUES)


_EARLY_TEXT = {
    ReleaseReason.SOURCE_EXCLUDED: "The source case was excluded; its contacts are released at once.",
    ReleaseReason.GENERAL_CONTACT: "The person was re-assessed as a general contact.",
    ReleaseReason.APPEAL_UPHELD: "The appeal was upheld.",
    ReleaseReason.APPEAL_UNANSWERED: "The appeal was not answered in time and ends in the person's favor.",
    ReleaseReason.DIED: "The person died.",
    ReleaseReason.NAMED_IN_ERROR: "The person was named a close contact in error.",
}


def _too_early(facts: ReleaseFacts) -> list[Reason]:
    reasons = []
    if facts.today < facts.last:
        text = "Observation lasts until the end of %(last)s."
        reasons.append(Reason("too_early", text, {"last": facts.last.isoformat()}))
    if facts.other_last is not None and facts.today < facts.other_last:
        text = "Another exposure still obliges until %(other)s; the longest obligation holds."
        reasons.append(Reason("other_obligation", text, {"other": facts.other_last.isoformat()}))
    return reasons


def _owed(facts: ReleaseFacts) -> list[Reason]:
    reasons = []
    for day, result in sorted(facts.tests.items()):
        if result == "negative":
            continue
        code = f"test_{result}" if result in ("positive", "inconclusive") else "test_missing"
        reasons.append(Reason(code, _TEST_TEXT[code], {"day": day.isoformat()}))
    reasons += _between(facts)
    if facts.symptoms_open:
        reasons.append(Reason("symptoms_open", "Symptoms were told and no test has been done since."))
    return reasons


def _between(facts: ReleaseFacts) -> list[Reason]:
    """What the first tests of the close contacts between say against a release."""
    first = [results[: facts.source_negatives] for results in facts.between]
    params = {"n": str(facts.source_negatives)}
    if not facts.source_negatives:
        return []
    if any("positive" in results for results in first):
        text = "A test of the close contact between is positive: this is a close contact now."
        return [Reason("source_positive", text, params)]
    if not first or any(results.count("negative") < facts.source_negatives for results in first):
        text = "The first %(n)s tests of the close contact between are not known to be negative."
        return [Reason("source_missing", text, params)]
    return []


_TEST_TEXT = {
    "test_missing": "The test of %(day)s has no result.",
    "test_positive": "The test of %(day)s is positive.",
    "test_inconclusive": "The test of %(day)s is not conclusive.",
}
