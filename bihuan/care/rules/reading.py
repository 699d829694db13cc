"""What a temperature and told symptoms mean. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from bihuan.cases.rules import Decision, Reason


class Symptom(StrEnum):
    """Signs to report at once (protocols.md section 4, daily checks)."""

    FEVER = "fever"
    COUGH = "cough"
    FATIGUE = "fatigue"
    SORE_THROAT = "sore_throat"
    LOSS_OF_SMELL = "loss_of_smell"
    DIARRHEA = "diarrhea"
    BREATHLESS = "breathless"
    OTHER = "other"


DANGER_SIGNS = frozenset({Symptom.BREATHLESS})


def is_symptomatic(value: float | None, symptoms: Iterable[str], fever_celsius: float) -> Decision:
    """Does this reading oblige somebody to test and refer at once? `value` in degrees Celsius, None = not
    taken.
    """
    told = sorted(set(symptoms))
    reasons = []
    if value is not None and value >= fever_celsius:
        params = {"value": value, "limit": fever_celsius}
        reasons.append(Reason("fever", "The temperature (%(value)s °C) is at or above %(limit)s °C.", params))
    if told:
        reasons.append(Reason("symptoms", "Symptoms told: %(symptoms)s.", {"symptoms": ", ".join(told)}))
    if reasons:
        return Decision(True, tuple(reasons), "contact.symptomatic", "D4-21c", ("temperature.fever_celsius",))
    well = Reason("well", "No fever and no symptoms.")
    return Decision(False, (well,), "contact.symptomatic", "D4-21c", ("temperature.fever_celsius",))
