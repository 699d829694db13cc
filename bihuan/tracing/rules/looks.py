"""What weighs how much on a list of people who were where a case was. Pure."""

from __future__ import annotations

from bihuan.tracing.rules.settings import SettingKind

#: Weighted minutes a minute counts. Fewer than one in ten infections were traced to open air in a review of
#: five studies (Bulfone, Malekinejad, Rutherford and Razani 2021, J Infect Dis 223:550); other settings
#: weigh the same, as no review gives their risk by the minute.
WEIGHTS = {SettingKind.OUTDOORS.value: 0.1}


def weight_of(kind: str) -> float:
    """The weight of a setting: 1 unless stated above."""
    return WEIGHTS.get(kind, 1.0)
