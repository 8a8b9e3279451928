"""What of a run's content may be seen in a trace: the one door between the spans of a journal and anything outside."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from weft.core.masking import MASK
from weft.telemetry import names
from weft.telemetry.describe import Attribute, Attributes
from weft.telemetry.redact import Redactor
from weft.telemetry.spans import Mark, Span

MAX_CHARS = 8_192
"""Longer contents and texts are cut, and say so."""

_TOO_LARGE = 262_144


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """Which contents are shown. `messages` is everything but tools: inputs of runs, agents and models, and their answers."""

    messages: bool = False
    tool_inputs: bool = False
    tool_outputs: bool = False


NOTHING = Content()
EVERYTHING = Content(messages=True, tool_inputs=True, tool_outputs=True)
ARTIFACT = Content(tool_outputs=True)
"""What the trace artifact shows when a workflow's ``telemetry.redact`` says nothing."""


def present(span: Span, content: Content, redactor: Redactor) -> Span:
    """`span` as it may leave: secrets out, and of `input` and `output` only what `content` allows, as attributes."""
    attributes: Attributes = {key: _clean(value, redactor) for key, value in span.attributes.items()}
    is_tool = span.type == "tool"
    shown = (content.tool_inputs, content.tool_outputs) if is_tool else (content.messages, content.messages)
    keys = (names.TOOL_ARGUMENTS, names.TOOL_RESULT) if is_tool else (names.INPUT, names.OUTPUT)
    values = (_arguments(span.input) if is_tool else span.input, span.output)
    for key, value, allowed in zip(keys, values, shown, strict=True):
        if value is not None and (allowed or is_tool):
            attributes[key] = _shown(value, redactor) if allowed else MASK
    return replace(
        span,
        name=redactor.text(span.name),
        message=_shown(span.message, redactor),
        attributes=attributes,
        marks=tuple(_clean_mark(mark, redactor) for mark in span.marks),
        input=None,
        output=None,
    )


def _arguments(given: Any) -> Any:
    return given["arguments"] if isinstance(given, Mapping) and "arguments" in given else given


def _clean_mark(mark: Mark, redactor: Redactor) -> Mark:
    return replace(mark, attributes={key: _clean(value, redactor) for key, value in mark.attributes.items()})


def _clean(value: Attribute, redactor: Redactor) -> Attribute:
    if isinstance(value, str):
        return _shown(value, redactor)
    if isinstance(value, tuple):
        return tuple(redactor.text(item) for item in value)
    return value


def _shown(value: Any, redactor: Redactor) -> str:
    size = len(value if isinstance(value, str) else json.dumps(value))
    if size > _TOO_LARGE:  # cutting first could cut a secret in two, and then nobody would know it
        return f"[{size:,} characters, too many to show]"
    clean = redactor.json(value)
    text = clean if isinstance(clean, str) else json.dumps(clean, ensure_ascii=False)
    return text if len(text) <= MAX_CHARS else f"{text[:MAX_CHARS]}… ({len(text):,} characters)"
