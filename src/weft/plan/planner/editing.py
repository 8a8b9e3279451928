"""A draft as text that people edit, and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import yaml

from weft.plan.planner.draft import Draft, draft_of, problems
from weft.spec.tree import DocumentError, plain_data
from weft.spec.yaml_tree import parse_yaml

MAX_TEXT = 200_000


def written(draft: Draft) -> str:
    """The steps of `draft` as YAML."""
    text: str = yaml.safe_dump([step.as_json() for step in draft.steps], sort_keys=False, allow_unicode=True, width=100)
    return text


def read(text: str, agents: Sequence[str], max_steps: int) -> tuple[Draft | None, list[str]]:
    """The draft that `text` says, or what is wrong with it."""
    if len(text) > MAX_TEXT:
        return None, [f"the steps are longer than {MAX_TEXT} characters"]
    try:
        data: Any = plain_data(parse_yaml(text))
    except DocumentError as error:
        return None, [str(error)]
    found = {"steps": data.get("steps") if isinstance(data, dict) else data, "why": "as edited"}
    wrong = problems(found, agents, max_steps)
    return (None, wrong) if wrong else (draft_of(found), [])
