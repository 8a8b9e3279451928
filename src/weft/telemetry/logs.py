"""Logs: one JSON object a line for machines, one short line for people, both redacted and tied to run, step and trace."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Literal, TextIO

from weft.core.clock import iso
from weft.telemetry.identity import span_id, trace_id
from weft.telemetry.redact import Redactor

ROOT = "weft"
_MAX_MESSAGE = 16_384
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""What steers a terminal or breaks a line, apart from line feeds and tabs."""

_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


@dataclass(frozen=True, slots=True)
class _Subject:
    run_id: str
    path: str


_SUBJECT: ContextVar[_Subject | None] = ContextVar("weft_log_subject", default=None)


@contextmanager
def about(run_id: str, path: str = "") -> Iterator[None]:
    """Within this, every record says that it is about the run `run_id` and its step `path`."""
    token = _SUBJECT.set(_Subject(run_id, path))
    try:
        yield
    finally:
        _SUBJECT.reset(token)


class JsonFormatter(logging.Formatter):
    """One JSON object a line: ``time``, ``level``, ``logger``, ``message``, the ids when known, and what `extra` gave."""

    def __init__(self, redactor: Redactor) -> None:
        super().__init__()
        self._redactor = redactor

    def format(self, record: logging.LogRecord) -> str:
        """The line for `record`; never raises, and never holds a line break."""
        data: dict[str, Any] = {
            "time": iso(round(record.created * 1_000_000)),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _message(record, self._redactor),
        }
        if subject := _SUBJECT.get():
            data |= {"run_id": subject.run_id, "trace_id": trace_id(subject.run_id)}
            data["span_id"] = span_id(subject.run_id, subject.path)
            if subject.path:
                data["step"] = subject.path
        data |= {key: value for key, value in vars(record).items() if key not in _STANDARD and key not in data}
        if record.exc_info:
            data["exception"] = self.formatException(record.exc_info)
        # Once through JSON first: what an unknown object says of itself must pass the redactor too.
        try:
            plain = json.loads(json.dumps(data, default=_describe, skipkeys=True))
        except (ValueError, RecursionError):  # a cycle, or deeper than anybody reads
            plain = {key: value if isinstance(value, str) else _describe(value) for key, value in data.items()}
        return json.dumps(self._redactor.json(plain), ensure_ascii=False)


class TextFormatter(logging.Formatter):
    """``level: message  [run step]`` for a terminal, on one line. Tracebacks only where somebody asked for ``debug``.

    A traceback that has been written already may stand in ``exception`` of `extra`, as in JSON.

    What a message quotes may come from anywhere, so no part of it may begin a line of its own or steer the terminal.
    """

    def __init__(self, redactor: Redactor) -> None:
        super().__init__()
        self._redactor = redactor

    def format(self, record: logging.LogRecord) -> str:
        """The line for `record`."""
        text = f"{record.levelname.lower()}: {_message(record, self._redactor)}"
        if subject := _SUBJECT.get():
            text += f"  [{subject.run_id}{' ' if subject.path else ''}{subject.path}]"
        text = _CONTROL.sub(_escaped, text.replace("\n", "\\n"))
        told = self.formatException(record.exc_info) if record.exc_info else str(getattr(record, "exception", ""))
        if told and logging.getLogger(ROOT).isEnabledFor(logging.DEBUG):
            text += "\n" + _CONTROL.sub(_escaped, told)
        return self._redactor.text(text)


def configure(
    *, level: str, style: Literal["text", "json"], redactor: Redactor, stream: TextIO | None = None
) -> logging.Handler:
    """Send what Weft logs at `level` or above to `stream` (standard error by default), instead of where it went before.

    Only the ``weft`` loggers are touched, so a program that embeds Weft keeps its own logging.
    """
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter(redactor) if style == "json" else TextFormatter(redactor))
    logger = logging.getLogger(ROOT)
    for old in tuple(logger.handlers):
        logger.removeHandler(old)
    logger.addHandler(handler)
    logger.setLevel(level.upper())
    logger.propagate = False
    return handler


def _message(record: logging.LogRecord, redactor: Redactor) -> str:
    try:
        text = record.getMessage()
    except Exception:  # noqa: BLE001 -- arguments that do not fit must not lose the record
        text = f"{record.msg} {record.args!r}"
    text = redactor.text(text)  # before it is cut: half a secret is not recognised
    return text if len(text) <= _MAX_MESSAGE else f"{text[:_MAX_MESSAGE]}…"


def _escaped(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode()


def _describe(value: object) -> str:
    try:
        return str(value)
    except Exception:  # noqa: BLE001 -- same
        return f"<{type(value).__name__}>"
