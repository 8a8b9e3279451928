"""Ids of traces and spans, made from what they name: any process that knows a run can compute them."""

from __future__ import annotations

import re

from weft.core.canonical import sha256
from weft.core.ids import path_key

_MODEL = re.compile(r"model(?:\[\d+\])?\Z")
_TOOL = re.compile(r"tool\[")


def trace_id(run_id: str) -> str:
    """The trace of a run: 16 bytes in hex. Hashed, because samplers take the low half of a trace id for random."""
    return sha256(run_id.encode())[:32]


def span_id(run_id: str, path: str) -> str:
    """The span of a step, or of the run itself when `path` is empty: 8 bytes in hex."""
    return path_key(run_id, path)[:16]


def is_sampled(trace: str, ratio: float) -> bool:
    """Whether `trace` is among the share `ratio` of traces, as OpenTelemetry's own ratio sampler decides."""
    return int(trace[16:], 16) < round(ratio * (1 << 64))


def parent_path(path: str) -> str:
    """The path that `path` hangs from; empty for the run itself.

    A tool call is named after the model response that asked for it (``model[2]/tool[0]``) but happens after it: it hangs
    from what made the request, as the GenAI conventions have it.
    """
    above, segment = _split(path)
    if _TOOL.match(segment):
        further, asked_by = _split(above)
        if _MODEL.match(asked_by):
            return further
    return above


def last_segment(path: str) -> str:
    """The name at the end of `path`, its key included."""
    return _split(path)[1]


def _split(path: str) -> tuple[str, str]:
    cut = path.rfind("/")
    if path.find("]", cut) >= 0 and path.find("[", cut) < 0:  # the slash stands in a key
        depth = 0
        for cut in range(len(path) - 1, -1, -1):
            sign = path[cut]
            if sign == "]":
                depth += 1
            elif sign == "[":
                depth = max(0, depth - 1)
            elif sign == "/" and not depth:
                break
    return path[: max(cut, 0)], path[cut + 1 :]
