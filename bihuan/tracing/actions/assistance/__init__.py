"""The verbs of assistance requests (协查), and how they travel between installations."""

from bihuan.tracing.actions.assistance.ask import AssistanceInput, Preview, ask, preview, send_draft
from bihuan.tracing.actions.assistance.carry import Delivered, announce_key, deliver
from bihuan.tracing.actions.assistance.compare import compare_all
from bihuan.tracing.actions.assistance.end import delete_now, end, erase_what_is_over, remind
from bihuan.tracing.actions.assistance.lost import link, settle_lost
from bihuan.tracing.actions.assistance.peers import add_peer, name_installation, revoke_peer, rotate_key
from bihuan.tracing.actions.assistance.receive import Refused, receive
from bihuan.tracing.actions.assistance.respond import (
    AcceptInput,
    accept,
    answer,
    feed_back,
    give_back,
)
from bihuan.tracing.actions.assistance.sweep import sweep_assistance

__all__ = [
    "AcceptInput",
    "AssistanceInput",
    "Delivered",
    "Preview",
    "Refused",
    "accept",
    "add_peer",
    "announce_key",
    "answer",
    "ask",
    "compare_all",
    "delete_now",
    "deliver",
    "end",
    "erase_what_is_over",
    "feed_back",
    "give_back",
    "link",
    "name_installation",
    "preview",
    "receive",
    "remind",
    "revoke_peer",
    "rotate_key",
    "send_draft",
    "settle_lost",
    "sweep_assistance",
]
