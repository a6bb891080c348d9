"""One line for each thing that happened, for people on a terminal and as JSON elsewhere."""

from __future__ import annotations

import logging
import sys
from typing import Any

import structlog

from tidegate.server.config import Config


def configure_logging(config: Config) -> None:
    """To standard error. What is not worth a line is not said in the first place."""
    as_json = config.log_format == "json" or (config.log_format == "auto" and not sys.stderr.isatty())
    renderer: Any = structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer()
    processors: list[Any] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso"),
        structlog.processors.format_exc_info,
        renderer,
    ]
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
