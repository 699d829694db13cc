"""From the first stage of observation to the second: home from the site, under the same order."""

from __future__ import annotations

from datetime import datetime

from django.utils.translation import gettext as _

from bihuan.care.errors import NotMovable, NotObserved, NotTwoStages
from bihuan.care.models import Order
from bihuan.care.queries.release_facts import ReleaseReader
from bihuan.care.rules import OrderKind, may_move
from bihuan.cases.actions.common import Day, authorize, moment_now, writing, zone_of
from bihuan.cases.rules import Moment, moment
from bihuan.loops.actions import record as tell_loops
from bihuan.registry.actor import Actor
from bihuan.tracing.actions import locked, news
from bihuan.tracing.actions.follow import RIGHTS
from bihuan.tracing.models import Contact


def record_moved(contact_id: str, *, actor: Actor, at: Day = None, now: datetime | None = None) -> Order:
    """The person came home for the second stage, at `at` (None = now). The order goes on; what is owed at
    home begins. Raises NotMovable with the rule's reasons, NotTwoStages, NotObserved, NotAllowed."""
    known_at = moment_now(now)
    with writing(actor):
        contact = locked(contact_id)
        authorize(RIGHTS, contact.territory_code, subject=("contact", contact_id))
        order = _order(contact)
        tz = zone_of(contact.territory_code)
        when = moment(at if at is not None else known_at, tz)
        assert when is not None
        decision = may_move(ReleaseReader([contact]).stage_facts(contact, order, when))
        if not decision:
            raise NotMovable(decision)
        order.moved_at, order.moved_by = max(when.instant(tz), order.start_at), actor.name
        order.save(update_fields=["moved_at", "moved_by"])
        data = {"order": order.public_id, "order_kind": OrderKind.HOME.value}
        moved = Moment(when.day, order.moved_at if when.at else None)
        told = news(contact, "contact.came_home", moved, data, key=f"contact.came_home:{order.public_id}")
        tell_loops([told], actor=actor, now=known_at)
        return order


def _order(contact: Contact) -> Order:
    found = (
        Order.objects.select_for_update(of=("self",)).filter(contact=contact, ended_at__isnull=True).first()
    )
    if found is None:
        raise NotObserved(_("No order runs for contact %(id)s.") % {"id": contact.public_id})
    if found.home_from is None or found.kind != OrderKind.FACILITY or found.moved_at is not None:
        raise NotTwoStages(
            _("Contact %(id)s has no second stage at home to move to.") % {"id": contact.public_id}
        )
    return found
