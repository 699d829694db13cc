"""Assistance requests (协查): one row on each side, the messages between them, and the installations we
trust.

Within one installation the asking territory has one row and the asked territory another, each fenced by its
own territory. Between two installations each has its own. What the messages say of people is kept apart from
the log of messages and encrypted, so that it can be destroyed while the log stays.
"""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _

from bihuan.cases.models import WordField
from bihuan.registry.ids import new_id
from bihuan.registry.models.base import CODE_LENGTH, ScopedModel, TerritoryCodeField
from bihuan.registry.models.history import append_only, track
from bihuan.tracing.rules.assistance import Need, Outcome, ReturnReason, Said, Side, Status

NEED_LABELS = [
    (Need.LOCATE.value, _("Find the person")),
    (Need.PLACE.value, _("Find and place under observation")),
    (Need.INTERVIEW.value, _("Interview")),
    (Need.CONFIRM_TRACK.value, _("Confirm where the person was")),
    (Need.SAMPLE.value, _("Take a specimen and test")),
    (Need.INFORM.value, _("Tell the person")),
    (Need.SOURCE_QUERY.value, _("Ask about the source")),
]
STANDING_LABELS = [
    (Status.DRAFT.value, _("Not sent yet")),
    (Status.SENT.value, _("Sent, no receipt yet")),
    (Status.RECEIVED.value, _("Received, to be accepted")),
    (Status.ACCEPTED.value, _("Accepted")),
    (Status.RETURNED.value, _("Sent back")),
    (Status.ANSWERED.value, _("Answered")),
    (Status.DELETION_ASKED.value, _("Ended, deletion asked")),
    (Status.DELETED.value, _("Ended, deletion confirmed")),
]
RETURN_LABELS = [
    (ReturnReason.WRONG_PLACE.value, _("The person is not of this place")),
    (ReturnReason.UNKNOWN_PERSON.value, _("Nobody can be told from what was shared")),
    (ReturnReason.NOT_SERVED.value, _("This place is not served there")),
    (ReturnReason.OTHER.value, _("Another reason")),
]
OUTCOME_LABELS = [
    (Outcome.FOUND.value, _("Found")),
    (Outcome.NOT_FOUND.value, _("Not to be found")),
    (Outcome.PLACED.value, _("Under observation")),
    (Outcome.INTERVIEWED.value, _("Interviewed")),
    (Outcome.TRACK_CONFIRMED.value, _("Was there")),
    (Outcome.TRACK_DENIED.value, _("Was not there")),
    (Outcome.POSITIVE.value, _("Tested positive")),
    (Outcome.NEGATIVE.value, _("Tested negative")),
    (Outcome.SAMPLED.value, _("Specimen taken, result to come")),
    (Outcome.INFORMED.value, _("Told")),
    (Outcome.SOURCE_LIKELY.value, _("The source is likely here")),
    (Outcome.SOURCE_UNLIKELY.value, _("The source is unlikely here")),
    (Outcome.OTHER.value, _("Another result")),
]
SIDE_LABELS = [(Side.ASKING.value, _("outgoing")), (Side.ASKED.value, _("incoming"))]
SAID_LABELS = [
    (Said.REQUEST.value, _("Request")),
    (Said.END.value, _("Need ended: please delete")),
    (Said.ACCEPT.value, _("Accepted")),
    (Said.RETURN.value, _("Sent back")),
    (Said.ANSWER.value, _("Answer")),
    (Said.DELETED.value, _("Deletion confirmed")),
]


def request_id() -> str:
    return new_id("R")


class Peer(models.Model):
    """Another installation that people here chose to trust, after comparing its fingerprint.

    `key` is its newest public key {id, sign, seal}; `serial` that of its card, so that an older card changes
    nothing. `knows_key` is the newest of our own keys that it has confirmed. Times in UTC.
    """

    installation = WordField(max_length=12, unique=True)
    name = models.CharField(max_length=120)
    url = models.CharField(max_length=300)
    serves = ArrayField(models.CharField(max_length=CODE_LENGTH))
    serial = models.PositiveIntegerField()
    key = models.JSONField()
    knows_key = models.CharField(max_length=16)
    trusted_at = models.DateTimeField()
    trusted_by = models.CharField(max_length=120)
    revoked_at = models.DateTimeField(null=True, blank=True)
    revoked_by = models.CharField(max_length=120, blank=True)
    revoked_reason = models.CharField(max_length=300, blank=True)
    last_heard_at = models.DateTimeField(null=True, blank=True)
    last_reached_at = models.DateTimeField(null=True, blank=True)
    last_error = models.CharField(max_length=40, blank=True)
    compare_at = models.DateTimeField(null=True, blank=True)
    compare_after = models.BigIntegerField(default=0)
    compared_at = models.DateTimeField(null=True, blank=True)
    compare_error = models.CharField(max_length=40, blank=True)

    def __str__(self) -> str:
        return f"{self.installation} {self.name}"


@track(
    fields=[
        "id",
        "public_id",
        "territory_code",
        "side",
        "thread",
        "other_territory",
        "peer",
        "person",
        "need",
        "clause",
        "shared",
        "status",
        "returned",
        "outcome",
        "assigned_territory",
        "made_contact",
        "deleted_at",
    ]
)
class AssistanceRequest(ScopedModel):
    """One side's row of a request about one person and one need. `territory_code` is this side's.

    `thread` names the request on both sides (the public id of the asking side's row). `person` is of this
    installation's register: on the asking side whom it asks about, on the asked side whom it found her to be.
    `number` (a signed keyed number of the visit store) stands on an asking side that may not know who it is.
    `shared` are the names of the fields that crossed; what they hold is in `told` (cipher of JSON), on both
    sides, until the need ends. `is_served`: False for a request that came for a place we do not answer for;
    it goes back by itself, and nobody here owes anything. `handed_over_at`: since when the other side has
    the person: on the asking side by its acceptance with a contact named there, on the asked side by its
    receipt for the return. `reply_due_at` is the pack's clock. Times in UTC, of this side's clock.
    """

    public_id = WordField(max_length=20, unique=True, default=request_id)
    side = models.CharField(max_length=6, choices=SIDE_LABELS)
    thread = WordField(max_length=20)
    other_territory = TerritoryCodeField()
    other_office = models.CharField(max_length=200, blank=True)
    own_office = models.CharField(max_length=200, blank=True)
    peer = models.ForeignKey(Peer, null=True, blank=True, on_delete=models.PROTECT, related_name="requests")
    person = models.ForeignKey(
        "registry.Person", null=True, blank=True, on_delete=models.PROTECT, related_name="assistance"
    )
    number = models.BigIntegerField(null=True, blank=True)
    need = models.CharField(max_length=24, choices=NEED_LABELS)
    clause = models.CharField(max_length=40)
    shared = ArrayField(models.CharField(max_length=20), default=list)
    told = models.BinaryField(null=True, blank=True)
    case = models.ForeignKey(
        "cases.Case", null=True, blank=True, on_delete=models.PROTECT, related_name="assistance"
    )
    contact = models.ForeignKey(
        "tracing.Contact", null=True, blank=True, on_delete=models.PROTECT, related_name="assistance"
    )
    investigation = WordField(max_length=20, blank=True)
    made_contact = models.ForeignKey(
        "tracing.Contact", null=True, blank=True, on_delete=models.PROTECT, related_name="came_by"
    )
    made_person = models.BooleanField(default=False)
    is_served = models.BooleanField(default=True)
    handed_over_at = models.DateTimeField(null=True, blank=True)
    assigned_territory = models.CharField(max_length=CODE_LENGTH, blank=True)
    status = models.CharField(max_length=16, choices=STANDING_LABELS, default=Status.DRAFT.value)
    returned = models.CharField(max_length=16, choices=RETURN_LABELS, blank=True)
    outcome = models.CharField(max_length=16, choices=OUTCOME_LABELS, blank=True)
    is_answered = models.BooleanField(default=False)
    reply_due_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True, blank=True)
    received_at = models.DateTimeField(null=True, blank=True)
    accepted_at = models.DateTimeField(null=True, blank=True)
    answered_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    deleted_at = models.DateTimeField(null=True, blank=True)
    by_account_id = models.BigIntegerField(null=True)
    by_post_id = models.BigIntegerField(null=True)
    by_name = models.CharField(max_length=120)

    class Meta(ScopedModel.Meta):
        indexes = [
            models.Index(fields=["side", "-created_at", "-id"], name="tracing_assist_newest"),
            models.Index(fields=["person"], name="tracing_assist_person"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["side", "peer", "thread"], name="tracing_assist_once", nulls_distinct=False
            ),
            models.CheckConstraint(condition=~models.Q(clause=""), name="tracing_assist_has_clause"),
            models.CheckConstraint(
                condition=models.Q(number__isnull=True) | models.Q(person__isnull=True),
                name="tracing_assist_number_without_name",
            ),
        ]

    def __str__(self) -> str:
        return self.public_id

    @property
    def is_asking(self) -> bool:
        return self.side == Side.ASKING


class AssistanceMessage(ScopedModel):
    """One message of a request, as this side keeps it: said here, or come from the other side. Append-only.

    `data` holds words of the rules and dates, no personal data. `digest` is the SHA-256 of the signed
    envelope it came in ("" within one installation), `key` the id of the key that signed it, `envelope` its
    signed open part for whoever wants to prove it. `said_at` is the sender's clock, `recorded_at` ours.
    """

    append_only = True

    request = models.ForeignKey(AssistanceRequest, on_delete=models.PROTECT, related_name="messages")
    message = models.CharField(max_length=32)
    said = models.CharField(max_length=10, choices=SAID_LABELS)
    is_own = models.BooleanField()
    sequence = models.PositiveIntegerField()
    data = models.JSONField(default=dict)
    said_at = models.DateTimeField()
    recorded_at = models.DateTimeField()
    digest = models.CharField(max_length=64, blank=True)
    key = models.CharField(max_length=16, blank=True)
    envelope = models.JSONField(default=dict)
    by_account_id = models.BigIntegerField(null=True)
    by_post_id = models.BigIntegerField(null=True)
    by_name = models.CharField(max_length=120)

    class Meta(ScopedModel.Meta):
        triggers = [append_only("assistance_stays")]
        constraints = [
            models.UniqueConstraint(fields=["request", "message"], name="tracing_assist_message_once"),
            models.UniqueConstraint(
                fields=["request", "is_own", "sequence"], name="tracing_assist_sequence_once"
            ),
        ]
        indexes = [models.Index(fields=["message"], name="tracing_assist_message")]

    def __str__(self) -> str:
        return f"{self.request_id} {self.said} {self.sequence}"


class AssistanceNote(ScopedModel):
    """The free text of a message (cipher). It is destroyed with the rest when the need ends."""

    message = models.OneToOneField(AssistanceMessage, on_delete=models.PROTECT, related_name="note")
    request = models.ForeignKey(AssistanceRequest, on_delete=models.PROTECT, related_name="notes")
    cipher = models.BinaryField()

    def __str__(self) -> str:
        return str(self.message_id)


class AssistanceDelivery(ScopedModel):
    """A message of ours on its way to another installation. It is tried until a signed receipt is here.

    `message` bears the same id at every try, by which the receiver drops what it has. `receipt` is the peer's
    signed answer. `error` is a word, `attempts` how often it was tried.
    """

    message = models.OneToOneField(AssistanceMessage, on_delete=models.PROTECT, related_name="delivery")
    request = models.ForeignKey(AssistanceRequest, on_delete=models.PROTECT, related_name="deliveries")
    peer = models.ForeignKey(Peer, on_delete=models.PROTECT, related_name="deliveries")
    attempts = models.PositiveIntegerField(default=0)
    next_try_at = models.DateTimeField()
    delivered_at = models.DateTimeField(null=True, blank=True)
    receipt = models.JSONField(null=True, blank=True)
    error = models.CharField(max_length=40, blank=True)

    class Meta(ScopedModel.Meta):
        indexes = [
            models.Index(
                fields=["next_try_at"],
                name="tracing_assist_to_send",
                condition=models.Q(delivered_at__isnull=True),
            )
        ]

    def __str__(self) -> str:
        return f"{self.message_id} → {self.peer_id}"


class ExchangeRefusal(models.Model):
    """A message from outside that was refused: when, why, and who it said it was. Nothing of what it held.
    Append-only."""

    append_only = True

    at = models.DateTimeField(db_index=True)
    code = models.CharField(max_length=40)
    claimed = models.CharField(max_length=12, blank=True)
    peer = models.ForeignKey(Peer, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    size = models.PositiveIntegerField()

    class Meta:
        triggers = [append_only("refusals_stay")]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M} {self.code} {self.claimed}"


class Decided(models.TextChoices):
    """What was decided about the exchange: of this installation itself, and of others."""

    NAMED = "named", _("This installation was named")
    CHANGED = "changed", _("Its card was changed")
    KEY_CHANGED = "key_changed", _("Its key was changed")
    KEY_DROPPED = "key_dropped", _("Its old keys were destroyed")
    TRUSTED = "trusted", _("Trusted")
    REVOKED = "revoked", _("Suspended")
    PEER_KEY = "peer_key", _("It changed its key")


class ExchangeDecision(models.Model):
    """Who named this installation or changed its key, and who trusted or suspended another one, when and why.
    Append-only.

    `installation` is whom it is about, as it was called and with the fingerprint it had from then on; `url`
    and `serves` as the card said. `by_name` is the worker or the other installation where no person decided.
    Times in UTC.
    """

    append_only = True

    at = models.DateTimeField()
    what = models.CharField(max_length=12, choices=Decided.choices)
    is_own = models.BooleanField()
    installation = WordField(max_length=12)
    name = models.CharField(max_length=120)
    fingerprint = models.CharField(max_length=39)
    url = models.CharField(max_length=300)
    serves = ArrayField(models.CharField(max_length=CODE_LENGTH))
    reason = models.CharField(max_length=300, blank=True)
    by_account_id = models.BigIntegerField(null=True)
    by_post_id = models.BigIntegerField(null=True)
    by_name = models.CharField(max_length=120)
    door = models.CharField(max_length=20)

    class Meta:
        triggers = [append_only("decisions_stay")]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M} {self.what} {self.installation}"
