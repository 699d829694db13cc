"""Arguments of the wrong kind, for every function alike: refused in two languages, never a TypeError."""

from __future__ import annotations

import importlib
import inspect
import itertools
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from bihuan import epi
from bihuan.epi import InputError
from bihuan.epi.arguments import checked

DETECTORS = [
    "ears",
    "farrington",
    "farrington_flexible",
    "cusum",
    "bayes",
    "rki",
    "glr_nb",
    "outbreak_p",
    "ewma",
    "regression",
    "switch",
    "nbinom_alert",
    "detect",
]
WEEKS = np.random.default_rng(1).poisson(6, 400)
#: The name that functions of epi share with a module of epi.
SHARED_NAMES = ("nowcast", "scan", "chains")


def _numbers_of(name: str) -> list[str]:
    parameters = inspect.signature(getattr(epi, name)).parameters.values()
    return [p.name for p in parameters if p.annotation.split(" ")[0] in ("int", "float")]


@pytest.mark.parametrize(
    ("detector", "parameter"), [(name, p) for name in DETECTORS for p in _numbers_of(name)]
)
@pytest.mark.parametrize("value", ["x", [1, 2], float("nan")])
def test_a_parameter_that_is_no_number_is_named_in_both_languages(
    detector: str, parameter: str, value: Any
) -> None:
    with pytest.raises(InputError) as refused:
        getattr(epi, detector)(WEEKS, start="2015-01-05", **{parameter: value})
    assert refused.value.field == parameter
    assert parameter in refused.value.en
    assert refused.value.text("zh") != refused.value.en


@pytest.mark.parametrize("detector", DETECTORS)
@pytest.mark.parametrize("at", ["x", float("nan"), 0.5, [], 400, -401])
def test_positions_that_are_none_are_refused(detector: str, at: Any) -> None:
    with pytest.raises(InputError):
        getattr(epi, detector)(WEEKS, at=at)


@pytest.mark.parametrize("detector", DETECTORS)
@pytest.mark.parametrize("count", [1e300, 1e16])
def test_more_cases_than_can_be_counted_are_refused(detector: str, count: float) -> None:
    with pytest.raises(InputError, match="more than can be counted"):
        getattr(epi, detector)([3, 4, count])


def test_whole_floats_and_numbers_of_numpy_are_taken() -> None:
    plain = epi.ears(WEEKS, baseline=7, alpha=0.01)
    other = epi.ears(WEEKS, baseline=np.float64(7.0), alpha=np.float32(0.01), guard=np.bool_(True))  # type: ignore[arg-type]
    np.testing.assert_array_equal(plain.alarm, other.alarm)


def test_what_is_not_annotated_as_plain_is_left_alone() -> None:
    @checked
    def told(a: int, b: Any = None, *rest: Any, c: float | None = None) -> tuple[Any, ...]:
        return (a, b, *rest, c)

    assert told(1.0, "x", 2, c=None) == (1, "x", 2, None)  # type: ignore[arg-type]
    with pytest.raises(InputError):
        told("1")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "call",
    [
        lambda: epi.estimate_r(WEEKS, mean_si="5", sd_si=2),
        lambda: epi.discretized_si(5, 2, "a"),
        lambda: epi.nowcast((["2020-01-01"], ["2020-01-03"]), now="soon"),
        lambda: epi.nowcast((["2020-01-01"], ["2020-01-03"]), now="2020-01-09", max_delay=10**7),
        lambda: epi.scan(np.ones((2, 9)), [(0, 0), (1, 1)], seed=-1),
        lambda: epi.farrington_flexible(WEEKS, limit54=5),  # type: ignore[arg-type]
        lambda: epi.panel([1, 2], start="x"),
        lambda: epi.panel([1, 2], names=5),  # type: ignore[arg-type]
        lambda: epi.panel([1, 2], population="many"),
    ],
)
def test_other_wrong_arguments_are_input_errors_too(call: Callable[[], Any]) -> None:
    with pytest.raises(InputError) as refused:
        call()
    assert refused.value.text("zh") != refused.value.en


@pytest.mark.parametrize(
    ("detector", "asked"),
    [
        ("farrington", {"b": 10**9}),
        ("farrington_flexible", {"b": 10**9}),
        ("ewma", {"baseline": 10**9}),
        ("nbinom_alert", {"period": 1e-300}),
    ],
)
def test_a_parameter_beyond_all_reason_takes_no_memory_and_no_warning(
    detector: str, asked: dict[str, Any]
) -> None:
    try:
        found = getattr(epi, detector)(WEEKS, start="2015-01-05", **asked)
    except InputError as refused:
        assert refused.field in asked  # noqa: PT017  either is well: a refusal by name, or reasons
    else:
        assert all(row["reason"] for row in found.rows())


def test_many_years_back_are_a_short_history_at_once() -> None:
    found = epi.bayes(WEEKS, b=10**9, w=3, frequency="weekly", start="2015-01-05")
    assert {row["reason"] for row in found.rows()} == {"short_history"}


@pytest.mark.parametrize("order", list(itertools.permutations(SHARED_NAMES)))
def test_functions_named_as_modules_are_functions_in_whatever_order_they_are_imported(
    order: tuple[str, ...],
) -> None:
    lines = [f"import bihuan.epi.{order[0]}", f"from bihuan.epi import {order[1]}"]
    lines += [f"import bihuan.epi.{order[1]}.results", f"from bihuan.epi.{order[2]} import {order[2]}"]
    lines += ["from bihuan import epi", "assert all(callable(getattr(epi, n)) for n in " + repr(order) + ")"]
    subprocess.run([sys.executable, "-c", "\n".join(lines)], check=True, timeout=60)


def test_every_public_name_can_be_had_and_tells_what_it_is() -> None:
    for name in epi.__all__:
        value = getattr(epi, name)
        assert getattr(value, "__doc__", None), f"{name} has no docstring"
        assert getattr(value, "__name__", name) == name
    assert importlib.import_module("bihuan.epi.scan").scan is epi.scan


@pytest.mark.parametrize("name", ["estimate_r", "wallinga_teunis", "growth_rate", "ears", "detect"])
def test_counts_without_a_panel_are_named_and_dated_in_every_function_alike(name: str) -> None:
    si = {"mean_si": 5, "sd_si": 2} if name in ("estimate_r", "wallinga_teunis") else {}
    found = getattr(epi, name)(WEEKS, start="2020-01-06", names=["张湾区"], **si)
    assert found.panel.names == ("张湾区",)
    assert str(found.panel.dates[0]) == "2020-01-06"
