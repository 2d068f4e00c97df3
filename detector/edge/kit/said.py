"""Where the kit says what went wrong: to the program's own log, else to standard error.

Standard output is the protocol of an MCP server: a line of ours there would break it.
"""

from __future__ import annotations

import sys
from typing import Any

import structlog


def kit_log() -> Any:  # noqa: ANN401 - structlog's loggers are of any kind
    """Return the logger that the program has set up, or one that writes to standard error."""
    if structlog.is_configured():
        return structlog.get_logger("detector.edge.kit")
    return structlog.wrap_logger(structlog.PrintLogger(sys.stderr))
