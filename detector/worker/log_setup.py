"""Logging of the worker: fields, not sentences with values inside; repeated complaints of clients are thinned out."""

from __future__ import annotations

import logging
import logging.config
import time
from collections.abc import Callable
from typing import Any

import structlog

QUIET_S = 10.0
"""A broker that is down makes its client complain hundreds of times a second."""


class Thinned(logging.Filter):
    """Lets one record of a kind through every ten seconds.

    A kind is logger and text before its values are filled in; at most 512 kinds are remembered.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._monotonic = monotonic
        self._last: dict[tuple[str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether the record is shown."""
        kind = (record.name, str(record.msg)[:120])
        now = self._monotonic()
        if now - self._last.get(kind, -QUIET_S) < QUIET_S:
            return False
        if len(self._last) >= 512:
            self._last.clear()
        self._last[kind] = now
        return True


def logging_config(level: str, *, is_json: bool) -> dict[str, Any]:
    """Return a configuration for :func:`logging.config.dictConfig`: ours at ``level``, clients' warnings thinned."""
    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.processors.format_exc_info,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    # plain tracebacks: the pretty ones show local variables, and with them payloads and passwords
    text = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
    renderer: Any = structlog.processors.JSONRenderer() if is_json else text
    last = [
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        structlog.processors.format_exc_info,
        renderer,
    ]
    formatter = {"()": structlog.stdlib.ProcessorFormatter, "foreign_pre_chain": shared, "processors": last}
    handler = {"class": "logging.StreamHandler", "formatter": "fields", "stream": "ext://sys.stderr"}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"fields": formatter},
        "filters": {"thinned": {"()": Thinned}},
        "handlers": {"ours": handler, "clients": {**handler, "filters": ["thinned"]}},
        "loggers": {
            "detector": {"level": level.upper(), "handlers": ["ours"], "propagate": False},
            # Faust names its services after the modules of our subclasses: their comings and goings are not news
            "detector.worker.app": {"level": "WARNING", "handlers": ["clients"], "propagate": False},
            "detector.worker.transport": {"level": "WARNING", "handlers": ["clients"], "propagate": False},
        },
        "root": {"level": "WARNING", "handlers": ["clients"]},
    }


def set_up_logging(level: str, *, is_json: bool) -> None:
    """Log our fields at ``level`` and above to standard error."""
    logging.config.dictConfig(logging_config(level, is_json=is_json))
