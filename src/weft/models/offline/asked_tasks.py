"""Asked tasks: the subtasks of a request whose inputs stand in it as JSON, as workflows send it to be split."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

from weft.models.offline.answer import subtasks
from weft.models.offline.brief import Brief

_REQUEST = re.compile(r"^\W*(?:request|inputs?)\W{0,3}:\s*(?=\{)", re.IGNORECASE | re.MULTILINE)
_DONE = re.compile(r"^\W*done so far\W{0,3}:", re.IGNORECASE | re.MULTILINE)
_MAX_TEXTS = 50


def asked_tasks(brief: Brief, whole: str) -> list[str]:
    """The subtasks of the request in the prompt `whole`; none once something is done, for nothing tells what is missing."""
    if _DONE.search(whole):
        return []
    found = _REQUEST.search(whole)
    if found is None:
        return subtasks(brief)
    try:
        value, _end = json.JSONDecoder().raw_decode(whole, found.end())
    except (ValueError, RecursionError):
        return subtasks(brief)
    goal = "; ".join(_texts(value))
    return subtasks(replace(brief, ask=goal, units=(), raw="")) if goal else subtasks(brief)


def _texts(value: Any) -> list[str]:
    """The texts in a JSON value, in its order."""
    if isinstance(value, str):
        return [value.strip().rstrip(".")] if value.strip() else []
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for item in items for text in _texts(item)][:_MAX_TEXTS]
