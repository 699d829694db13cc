"""Logs: one line an event, JSON in production, and never an identity number or a phone in them."""

from __future__ import annotations

import re
from collections.abc import MutableMapping
from typing import Any

import structlog

#: GB 11643 numbers (18 places, 15 in old ones), mainland mobile numbers, and long runs of digits generally.
_NUMBERS = re.compile(r"(?<!\d)(?:\d{17}[\dXx]|\d{15}|1[3-9]\d{9})(?!\d)")
_NAMES = re.compile(
    r"(?i)(id_?(card|number|no)|identity|phone|mobile|password|secret|token|cookie|authorization)"
)
HIDDEN = "***"


def hide_numbers(value: Any) -> Any:
    """Replace what looks like an identity number or a mobile number, at any depth."""
    if isinstance(value, str):
        return _NUMBERS.sub(HIDDEN, value)
    if isinstance(value, dict):
        return {key: HIDDEN if _NAMES.search(str(key)) else hide_numbers(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(hide_numbers(item) for item in value)
    if isinstance(value, int) and not isinstance(value, bool) and _NUMBERS.search(str(value)):
        return HIDDEN
    return value


def _hide(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    kept = {key: event[key] for key in ("_record", "_from_structlog") if key in event}
    hidden = hide_numbers({key: item for key, item in event.items() if key not in kept})
    return {**hidden, **kept}


_SHARED: list[structlog.typing.Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]


def configuration(*, as_json: bool, level: str) -> dict[str, Any]:
    """The LOGGING setting. Structlog and the standard library's loggers go the same way out, to stderr."""
    structlog.configure(
        processors=[*_SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    last: Any = structlog.processors.JSONRenderer(ensure_ascii=False) if as_json else _console()
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "one-line": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": _SHARED,
                "processors": [
                    structlog.processors.format_exc_info,
                    _hide,
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    last,
                ],
            }
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "one-line"}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            "django": {"level": level, "propagate": True, "handlers": []},
            "django.server": {"level": "WARNING", "propagate": True, "handlers": []},
            "procrastinate": {"level": "WARNING"},
            "axes": {"level": "ERROR"},
        },
    }


def _console() -> Any:
    return structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
