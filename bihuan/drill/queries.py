"""What the drill asks of the rooms below."""

from __future__ import annotations

from collections.abc import Sequence

from bihuan.care.models import Order
from bihuan.cases.models import Case


def is_empty() -> bool:
    """Whether this installation has no case yet: only then may a drill be played into it."""
    return not Case.objects.exists()


def running_orders(contact_ids: Sequence[str]) -> dict[str, Order]:
    """The running order of each contact, by the contact's public id; one without is left out."""
    found = Order.objects.filter(contact__public_id__in=contact_ids, ended_at__isnull=True).select_related(
        "contact"
    )
    return {order.contact.public_id: order for order in found}
