"""The verbs of the drill: staff a city, play an outbreak through the same actions as real work."""

from bihuan.drill.actions.cast import DemoAccount, hire, staff
from bihuan.drill.actions.play import Played, play
from bihuan.drill.actions.visits import number_people, record_visits

__all__ = ["DemoAccount", "Played", "hire", "number_people", "play", "record_visits", "staff"]
