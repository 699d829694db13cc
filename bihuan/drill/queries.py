"""What the drill asks of the rooms below."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from django.db.models import Count

from bihuan.care.models import Order
from bihuan.cases.models import Case
from bihuan.loops.models import Duty
from bihuan.registry import clock
from bihuan.registry.models import Account, Person
from bihuan.tracing.models import Place


def is_empty() -> bool:
    """Whether this installation has no case yet: only then may a drill be played into it."""
    return not Case.objects.exists()


def is_cut_off(usernames: Sequence[str]) -> bool:
    """Whether a play began here and did not reach its end, at which these accounts are created."""
    hired = Account.objects.filter(username__in=usernames).count()
    return hired < len(usernames) and Person.unscoped.filter(source="drill").exists()


def is_walked() -> bool:
    """Whether the drill's places are there already."""
    return Place.unscoped.filter(store_id__startswith="SY-").exists()


def running_orders(contact_ids: Sequence[str]) -> dict[str, Order]:
    """The running order of each contact, by the contact's public id; one without is left out."""
    found = Order.objects.filter(contact__public_id__in=contact_ids, ended_at__isnull=True).select_related(
        "contact"
    )
    return {order.contact.public_id: order for order in found}


def owed_by_post(post_ids: Sequence[int]) -> dict[int, int]:
    """How many duties due today or before each of these posts still owes."""
    tomorrow = clock.start_of_day(clock.today() + timedelta(days=1))
    rows = Duty.unscoped.filter(owner_post_id__in=post_ids, state=0, due_at__lte=tomorrow)
    return dict(rows.values_list("owner_post_id").annotate(n=Count("id")).order_by())
