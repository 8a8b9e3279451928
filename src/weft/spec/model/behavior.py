# ruff: noqa: RUF012 -- Pydantic copies mutable defaults
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from weft.spec.model.base import Identifier, Seconds, Section, Text, addition
from weft.spec.model.flow import AnyStep, Variable
from weft.spec.model.runtime import Count


class _Named(Section):
    id: Identifier | None = None


class SequenceNode(_Named):
    """Children in order; the first that fails fails it."""

    sequence: Annotated[list["TreeNode"], Field(min_length=1)]


class SelectorNode(_Named):
    """Children in order; the first that succeeds makes it succeed."""

    selector: Annotated[list["TreeNode"], Field(min_length=1)]


class ParallelNode(_Named):
    """Children at the same time, until enough succeeded or too many failed."""

    parallel: Annotated[list["TreeNode"], Field(min_length=1)]
    success_threshold: Count | None = None
    failure_threshold: Count | None = None


class ConditionNode(_Named):
    """Succeeds when the expression holds."""

    condition: Text


class InvertNode(_Named):
    """Success becomes failure, and failure success."""

    invert: "TreeNode"


class RepeatNode(_Named):
    """The child again and again while it succeeds: so many `times`, or until the expression `until` holds."""

    repeat: "TreeNode"
    times: Count | None = None
    until: Text | None = None


class RetryNode(_Named):
    """The child again while it fails, so many `attempts` in all."""

    retry: "TreeNode"
    attempts: Annotated[int, Field(ge=1, le=10_000)]


class TimeoutNode(_Named):
    """Fails when the child takes longer."""

    timeout: "TreeNode"
    seconds: Seconds


class CooldownNode(_Named):
    """Fails at once when the child ended less than so many seconds ago."""

    cooldown: "TreeNode"
    seconds: Seconds


class SucceedNode(_Named):
    """The child, whose failure counts as success."""

    succeed: "TreeNode"


class FailNode(_Named):
    """The child, whose success counts as failure."""

    fail: "TreeNode"


_KINDS = {
    "sequence": SequenceNode,
    "selector": SelectorNode,
    "parallel": ParallelNode,
    "condition": ConditionNode,
    "invert": InvertNode,
    "repeat": RepeatNode,
    "retry": RetryNode,
    "timeout": TimeoutNode,
    "cooldown": CooldownNode,
    "succeed": SucceedNode,
    "fail": FailNode,
}


def _kind(value: Any) -> str:
    known = (
        name for name, kind in _KINDS.items() if (name in value if isinstance(value, dict) else isinstance(value, kind))
    )
    return f"<{next(known, 'action')}>"


TreeNode = Annotated[
    Annotated[SequenceNode, Tag("<sequence>")]
    | Annotated[SelectorNode, Tag("<selector>")]
    | Annotated[ParallelNode, Tag("<parallel>")]
    | Annotated[ConditionNode, Tag("<condition>")]
    | Annotated[InvertNode, Tag("<invert>")]
    | Annotated[RepeatNode, Tag("<repeat>")]
    | Annotated[RetryNode, Tag("<retry>")]
    | Annotated[TimeoutNode, Tag("<timeout>")]
    | Annotated[CooldownNode, Tag("<cooldown>")]
    | Annotated[SucceedNode, Tag("<succeed>")]
    | Annotated[FailNode, Tag("<fail>")]
    | Annotated[AnyStep, Tag("<action>")],
    Discriminator(_kind),
]
"""A node of a behaviour tree; a step is a leaf."""


class BehaviorTreeConfig(Section):
    """A tree of nodes that succeed or fail. `context` names values that steps can change and conditions read."""

    root: TreeNode
    context: dict[Variable, Any] = {}


class BehaviorTree(Section):
    """``type: behavior_tree``."""

    type: Literal["behavior_tree"] = addition(default=...)
    config: BehaviorTreeConfig
