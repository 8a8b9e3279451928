"""Defects: exceptions that nobody expected. What they come out of ends with their name; the traceback is in the log, for whoever operates it."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from typing import Any

from weft.core.unexpected import described
from weft.telemetry.logs import about

_LOG = logging.getLogger("weft.engine")
_FRAMES = 60
"""So many of the innermost frames are shown of each exception."""
_LONGEST = 32_768
"""A traceback is cut at its beginning, for at its end stands where it happened (characters)."""


def log_defect(error: BaseException, *, run_id: str, path: str, mask: Callable[[str, str, Any], Any]) -> None:
    """Log what went wrong in the step at `path`, or outside any, once and with its traceback, without what `mask` takes out."""
    told = "".join(traceback.format_exception(error, limit=-_FRAMES))
    told = str(mask(run_id, path, told))
    short = told if len(told) <= _LONGEST else f"…{told[-_LONGEST:]}"
    what = str(mask(run_id, path, described(error)))
    with about(run_id, path):
        _LOG.error("a defect ended the %s: %s", "step" if path else "run", what, extra={"exception": short})
