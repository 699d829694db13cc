"""The verbs of the drill: staff a city, play an outbreak through the same actions as real work."""

from bihuan.drill.actions.cast import DemoAccount, hire, staff
from bihuan.drill.actions.play import Played, play

__all__ = ["DemoAccount", "Played", "hire", "play", "staff"]
