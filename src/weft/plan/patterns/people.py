"""Steps and reviews that ask a person, as gates."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal

from weft.plan.nodes import Gate
from weft.plan.patterns.compiler import Compiler, Slot
from weft.spec.forms import form_schema
from weft.spec.model.steps import HitlStep

EXPIRED = "timeout_expired"
"""The answer of a gate of version 0 when its time is over and it has no default."""


def compile_person(step: HitlStep, compiler: Compiler, slot: Slot) -> Gate:
    """The gate of a step."""
    del compiler
    facts: dict[str, Any] = {"status": "completed", "agent": None, "tokens_estimated": 0}
    if slot.index is not None:
        facts["index"] = slot.index
    if step.id is not None:
        facts["id"] = step.id
    return gate_of(step, slot.name, facts=facts)


def gate_of(
    step: HitlStep,
    name: str,
    *,
    facts: Mapping[str, Any] | None = None,
    on_reject: Literal["fail", "continue"] = "fail",
    pattern: str | None = None,
) -> Gate:
    """The gate that `step` describes; `on_reject` and `pattern` hold where the step says nothing itself."""
    default = step.default
    if step.timeout_seconds and default is None:
        default = EXPIRED
    escalate = step.escalate
    return Gate(
        name=name,
        prompt=verbatim(step.prompt),
        show=step.context_display or "",
        choices=tuple(step.choices),
        form=form_schema(step.form) if step.form else None,
        pattern=step.validation.pattern if step.validation else pattern,
        on_reject=step.on_reject or on_reject,
        assignees=tuple(step.assignees),
        deadline_s=step.deadline_s or step.timeout_seconds or None,
        warn_s=step.warn_s,
        escalate_s=escalate.after_s if escalate else None,
        escalate_to=tuple(escalate.to) if escalate else (),
        default=default,
        facts=dict(facts or {}),
    )


def verbatim(text: str) -> str:
    """A template that renders to `text`, whatever is in it."""
    return "{{ " + json.dumps(text, ensure_ascii=False) + " }}" if "{" in text else text
