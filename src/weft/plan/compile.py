"""From a workflow to a plan: the pattern's tree inside one block, and the definitions that its calls name."""

from __future__ import annotations

from weft.core.errors import UnsupportedError
from weft.plan.definitions import Overrides, definitions
from weft.plan.nodes import Block, Call, Node, Plan, Sequence
from weft.plan.patterns import compiler_for
from weft.plan.patterns.steps import budget_of, retry_of
from weft.spec.model.outputs import Artifact
from weft.spec.model.workflow import Workflow
from weft.spec.references import reads
from weft.spec.support import unsupported

__all__ = ["Overrides", "compile_workflow"]


def compile_workflow(workflow: Workflow, overrides: Overrides | None = None) -> Plan:
    """The plan of `workflow`: always the same for the same meaning.

    Raises:
        UnsupportedError: `workflow` uses what this version does not run; `problems` names every place.
        SpecError: an agent has no model and its provider no default one.
    """
    if missing := unsupported(workflow):
        first = missing[0]
        raise UnsupportedError(first.message, fix=first.fix, place=first.place, problems=missing)
    compiler = compiler_for(workflow)
    body = compiler.pattern(workflow.pattern)
    if workflow.outputs.artifacts:
        artifacts = (_artifact(place, each) for place, each in enumerate(workflow.outputs.artifacts))
        body = Sequence(name="", children=(*_open(body), *artifacts), value={"response": "last_response"})
    policy = workflow.runtime.failure_policy
    root = Block(
        name="",
        body=body,
        retry=retry_of(policy, policy.retries),
        budget=budget_of(workflow.runtime.budgets),
    )
    return Plan(
        workflow=workflow.name,
        root=root,
        definitions=definitions(workflow, overrides or Overrides()),
        children={
            **compiler.children,
            **{name: compile_workflow(child, overrides) for name, child in workflow.included.items()},
        },
    )


def _open(body: Node) -> tuple[Node, ...]:
    """What stands before the artifacts, so that they see all that it puts into its scope."""
    if isinstance(body, Sequence) and body.into is None and body.value is None:
        return body.children
    return (body,)


def _artifact(place: int, artifact: Artifact) -> Call:
    content = "{{ TRACE }}" if artifact.source.strip() == "$TRACE" else artifact.source
    traced = "TRACE" in reads(content).names | reads(artifact.path).names
    return Call(
        name=f"$artifact[{place}]",
        performer="artifact",
        target=artifact.path,
        input={"path": artifact.path, "from": content, **({"trace": True} if traced else {})},
    )
