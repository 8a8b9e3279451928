"""What people are asked about a plan: what was meant, and whether it may be carried out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from weft.agents.planning.estimate import cost_text, estimate
from weft.core.errors import Place, RejectedError
from weft.engine.port import GateRequest, StepContext
from weft.plan.planner.build import outline
from weft.plan.planner.draft import Draft
from weft.plan.planner.editing import MAX_TEXT, read, written
from weft.plan.planner.rules import Question

EDITS = 5
"""Times that an edited plan may be wrong before nobody is asked any more."""
_OTHER = "none of these"


async def clarified(question: Question, number: int, settings: Mapping[str, Any], context: StepContext) -> str:
    """The agent that a person picks for a task.

    Raises:
        RejectedError: none of them is meant.
        StepSuspended: nobody has answered yet.
    """
    request = GateRequest(
        prompt=question.text,
        choices=(*question.choices, _OTHER),
        rejections=(_OTHER,),
        assignees=tuple(settings.get("assignees") or ()),
        deadline_s=settings.get("deadline_s"),
        facts={"task": question.task},
    )
    said = await context.ask(f"question[{number}]", request)
    return str(said["choice"])


def unclear(questions: Sequence[Question], path: str) -> RejectedError:
    """The error for a request about which nobody can be asked."""
    first = questions[0]
    return RejectedError(
        f"the request is not clear. {first.text} It could be: {', '.join(first.choices)}",
        fix="name the agent in the request, or write `ambiguous: ask`",
        place=Place(path=path),
    )


async def approved(drafts: Sequence[Draft], request: str, settings: Mapping[str, Any], context: StepContext) -> Draft:
    """The draft that a person approves: one of `drafts`, or one of their own.

    Raises:
        RejectedError: it was rejected, or edited so that it cannot be used, too often.
        StepSuspended: nobody has answered yet.
    """
    wrong: list[str] = []
    text = written(drafts[0])
    for number in range(EDITS):
        said = await context.ask(f"approval[{number}]", _question(drafts, request, settings, text, wrong, context))
        values = {"alternative": 1, "steps": text} | (said["values"] or {})
        shown = said.get("given") or {}
        if values["steps"] == shown.get("steps", text) and not wrong:
            return drafts[int(values["alternative"]) - 1]
        text = str(values["steps"])
        draft, wrong = read(text, settings["agents"], settings["max_steps"])
        if draft is not None:
            return draft
    raise RejectedError(
        f"the edited plan cannot be used: {wrong[0]}",
        fix="`weft resume` asks again; correct the steps",
        place=Place(path=context.path),
    )


def _question(
    drafts: Sequence[Draft],
    request: str,
    settings: Mapping[str, Any],
    text: str,
    wrong: Sequence[str],
    context: StepContext,
) -> GateRequest:
    shown = [f"Request: {request}"]
    shown += [f"The plan cannot be used as it was edited: {problem}" for problem in wrong]
    for place, draft in enumerate(drafts, 1):
        title = "Plan" if len(drafts) == 1 else f"Plan {place}"
        cost = cost_text(estimate(draft, request, context.plan.definitions))
        shown.append("\n".join([f"{title} ({draft.why}; {cost}):", *outline(draft)]))
    properties = {
        "alternative": {"type": "integer", "minimum": 1, "maximum": len(drafts)},
        "steps": {"type": "string", "minLength": 1, "maxLength": MAX_TEXT},
    }
    return GateRequest(
        prompt="Carry out this plan?",
        show="\n\n".join(shown),
        choices=("approve", "reject"),
        form={"type": "object", "properties": properties, "additionalProperties": False},
        given={"alternative": 1, "steps": text},
        assignees=tuple(settings.get("assignees") or ()),
        deadline_s=settings.get("deadline_s"),
    )
