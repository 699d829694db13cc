"""Looks at who was where. Everything that shows a person's visits goes through here: an open investigation
in the scope, the right `visits.look`, a purpose, the investigation's hours; and each look is noted where
the person whom it concerned can see it."""

from bihuan.tracing.actions.looks.gate import PlaceName, enter, noted
from bihuan.tracing.actions.looks.met import Meeting, MetLook, MetRow, look_met
from bihuan.tracing.actions.looks.places import (
    Common,
    CommonLook,
    PlaceLook,
    Present,
    look_common,
    look_place,
)
from bihuan.tracing.actions.looks.strangers import StrangerLook, look_stranger
from bihuan.tracing.actions.looks.track import Recorded, TrackLook, look_track

__all__ = [
    "Common",
    "CommonLook",
    "Meeting",
    "MetLook",
    "MetRow",
    "PlaceLook",
    "PlaceName",
    "Present",
    "Recorded",
    "StrangerLook",
    "TrackLook",
    "enter",
    "look_common",
    "look_met",
    "look_place",
    "look_stranger",
    "look_track",
    "noted",
]
