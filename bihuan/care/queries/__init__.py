"""Reads of care: orders and why they stand, the gap lists, the person's timeline, the two rings of the
board.
"""

from bihuan.care.models import CHECK_LABELS, DECISION_LABELS, END_LABELS, ORDER_KIND_LABELS, SYMPTOM_LABELS
from bihuan.care.queries.gaps import GAPS, Gap, GapRow, all_gaps, gap_list
from bihuan.care.queries.orders import OrderView, appeals_waiting, find_order, orders_about, running_order
from bihuan.care.queries.rings import BoardArc, BoardRing, RingDef, RingStage, find_rings, rings_of
from bihuan.care.queries.timeline import Entry, PersonPage, person_page

__all__ = [
    "CHECK_LABELS",
    "DECISION_LABELS",
    "END_LABELS",
    "GAPS",
    "ORDER_KIND_LABELS",
    "SYMPTOM_LABELS",
    "BoardArc",
    "BoardRing",
    "Entry",
    "Gap",
    "GapRow",
    "OrderView",
    "PersonPage",
    "RingDef",
    "RingStage",
    "all_gaps",
    "appeals_waiting",
    "find_order",
    "find_rings",
    "gap_list",
    "orders_about",
    "person_page",
    "rings_of",
    "running_order",
]
