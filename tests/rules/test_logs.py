"""Identity numbers and phones never reach a log."""

import logging

import pytest
import structlog

from bihuan.config.logs import configuration, hide_numbers


@pytest.mark.parametrize(
    "number", ["420302199001011234", "42030219900101123X", "420302900101123", "13812345678"]
)
def test_it_hides_identity_and_phone_numbers_wherever_they_stand(number: str) -> None:
    said = {"event": f"seen {number}.", "list": [number], "deep": {"x": (f"a{number}b",)}}
    assert number not in repr(hide_numbers(said))


def test_it_leaves_codes_and_times_alone() -> None:
    said = {"territory": "420302001003", "at": "2020-02-05T08:00:00Z", "n": 8827, "id": "C-7ZK3M2Q9AB"}
    assert hide_numbers(said) == said


def test_it_hides_whatever_bears_the_name_of_a_secret() -> None:
    assert hide_numbers({"password": "abc", "id_number": 7}) == {"password": "***", "id_number": "***"}


@pytest.mark.parametrize("as_json", [True, False])
def test_neither_logger_lets_a_number_out(as_json: bool, capsys) -> None:
    before = structlog.get_config()
    setting = configuration(as_json=as_json, level="INFO")
    formatter = setting["formatters"]["one-line"]
    made = formatter["()"](**{key: value for key, value in formatter.items() if key != "()"})
    try:
        record = logging.LogRecord("x", logging.INFO, "f", 1, "no person %s", ("420302199001011234",), None)
        assert "1234" not in made.format(record)
        assert "no person" in made.format(record)
    finally:
        structlog.configure(**before)
