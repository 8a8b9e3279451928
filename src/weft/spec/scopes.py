"""Which names a template may read at its place, and what those names hold there."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from weft.spec.model.base import Pointer
from weft.spec.model.patterns import Chain, Parallel, TaskGraph
from weft.spec.model.steps import AgentStep, HitlStep, Step, Task, ToolStep
from weft.spec.model.workflow import Workflow
from weft.spec.scopes_swarm import AT_THE_END, Swarm, swarm_texts
from weft.spec.tasks import Earlier, depths
from weft.spec.texts import texts

ALWAYS = frozenset({"name", "runtime", "context_policy", "execution_context"})
"""The names that every template may read."""

OURS = ALWAYS | {
    "last_response",
    "TRACE",
    "steps",
    "tasks",
    "branches",
    "nodes",
    "hitl_response",
    "rounds",
    "votes",
    "tally",
    "transcript",
    "turns",
    "board",
    "ballots",
}
"""The names that the language itself fills; where they are not visible, no `--var` is meant."""

STEP_FACTS = frozenset(
    {
        "response",
        "agent",
        "tool",
        "index",
        "type",
        "prompt",
        "status",
        "tokens_estimated",
        "usage",
        "cost",
        "id",
        "description",
        "output",
        "step_history",
    }
)
"""What can be read about a step, task or branch that is done."""


@dataclass(frozen=True, slots=True)
class Site:
    """A place with templates.

    `texts` are the templates with their pointers. `names` are visible beside the inputs. `steps` is how many entries the
    list of steps has here; `keyed` which keys ``tasks`` and ``branches`` have here; `everything` which ones they will have at the end.
    """

    texts: tuple[tuple[Pointer, str], ...]
    names: frozenset[str] = frozenset()
    steps: int | None = None
    keyed: Mapping[str, Collection[str]] = field(default_factory=dict)
    everything: Mapping[str, Collection[str]] = field(default_factory=dict)


def sites(workflow: Workflow) -> Iterator[Site]:
    """Every place with templates in the patterns that this version runs, and the artifacts."""
    pattern = workflow.pattern
    base: Pointer = ("pattern", "config")
    if isinstance(pattern, Chain):
        yield from _steps(pattern.config.steps, (*base, "steps"))
        end = Site((), frozenset({"steps", "last_response"}), steps=len(pattern.config.steps))
    elif isinstance(pattern, TaskGraph):
        yield from _tasks(pattern.config.tasks, (*base, "tasks"))
        ids = frozenset(task.id for task in pattern.config.tasks)
        end = Site((), frozenset({"tasks", "last_response"}), keyed={"tasks": ids})
    elif isinstance(pattern, Parallel):
        yield from _parallel(pattern, base)
        ids = frozenset(branch.id for branch in pattern.config.branches)
        end = Site((), frozenset({"branches", "last_response"}), keyed={"branches": ids})
    elif isinstance(pattern, Swarm):
        for pointer, text, names in swarm_texts(pattern):
            yield Site(((pointer, text),), names)
        end = Site((), AT_THE_END[type(pattern)] | {"last_response"})
    else:
        return
    for place, artifact in enumerate(workflow.outputs.artifacts):
        spot = ("outputs", "artifacts", place)
        texts = ((*spot, "path"), artifact.path), ((*spot, "from"), artifact.source)
        yield Site(texts, end.names | {"TRACE"}, end.steps, end.keyed)


def _steps(steps: list[Step], base: Pointer) -> Iterator[Site]:
    answered = False
    for place, step in enumerate(steps):
        names = {"steps"} | ({"last_response"} if place else set()) | ({"hitl_response"} if answered else set())
        yield Site(tuple(_texts(step, (*base, place))), frozenset(names) | _vars(step), steps=place)
        answered = answered or isinstance(step, HitlStep)


def _tasks(tasks: list[Task], base: Pointer) -> Iterator[Site]:
    depth = depths(tasks)
    ids = frozenset(task.id for task in tasks)
    for place, task in enumerate(tasks):
        names = {"tasks"} | ({"last_response"} if task.deps else set())
        yield Site(
            tuple(_texts(task, (*base, place))),
            frozenset(names) | _vars(task),
            keyed={"tasks": Earlier(depth, depth.get(task.id, 0))},
            everything={"tasks": ids},
        )


def _parallel(pattern: Parallel, base: Pointer) -> Iterator[Site]:
    ids = frozenset(branch.id for branch in pattern.config.branches)
    for place, branch in enumerate(pattern.config.branches):
        yield from _steps(branch.steps, (*base, "branches", place, "steps"))
    if step := pattern.config.reduce:
        names = frozenset({"branches", "last_response"}) | _vars(step)
        yield Site(tuple(_texts(step, (*base, "reduce"))), names, keyed={"branches": ids})


def _vars(step: Step | Task) -> frozenset[str]:
    return frozenset(step.vars) if isinstance(step, AgentStep) else frozenset()


def _texts(step: Step | Task, pointer: Pointer) -> Iterator[tuple[Pointer, str]]:
    return texts(step, pointer) if isinstance(step, (AgentStep, ToolStep, HitlStep)) else iter(())
