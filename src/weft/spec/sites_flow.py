"""Places with templates in the steps that steer others, in what stands inside them, and in the patterns made of such steps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from weft.spec.model.base import Pointer, Section, walk
from weft.spec.model.behavior import BehaviorTree
from weft.spec.model.flow import FlowStep
from weft.spec.model.machine import StateMachine
from weft.spec.model.mapping import MapPattern
from weft.spec.model.patterns import TaskGraph
from weft.spec.model.saga import Saga
from weft.spec.model.steps import AgentStep
from weft.spec.model.workflow import Workflow
from weft.spec.scopes import OURS, Site
from weft.spec.tasks import Earlier, depths
from weft.spec.texts import texts
from weft.spec.variables import items_within, names_within

FLOW_NAMES = frozenset(
    {"failures", "index", "iteration", "results", "saga", "signal", "state", "states", "tree", "error"}
)
"""The names that the steps and patterns treated here fill."""

_PATTERNS = (StateMachine, BehaviorTree, Saga, MapPattern)


def flow_sites(workflow: Workflow) -> Iterator[Site]:
    """Every such place. What is there depends on the way that a run takes, so every name that something fills is visible."""
    own = isinstance(workflow.pattern, _PATTERNS)
    given = (*names_within(workflow.pattern), *items_within(workflow.pattern))
    names = OURS | FLOW_NAMES | frozenset(given)
    around: Pointer | None = ("pattern",) if own else None
    tasks = workflow.pattern.config.tasks if isinstance(workflow.pattern, TaskGraph) else []
    depth, ids = depths(tasks), frozenset(task.id for task in tasks)
    for pointer, section in walk(workflow.pattern, ("pattern",)):
        if not own and around is not None and pointer[: len(around)] != around:
            around = None
        if isinstance(section, FlowStep) and around is None:
            around = pointer
        if around is not None and (found := tuple(texts(section, pointer))):
            site = Site(found, names | _vars(section))
            if tasks:
                # It stands in a task, which can read the tasks of earlier layers.
                earlier = Earlier(depth, depth.get(tasks[int(pointer[3])].id, 0))
                site = replace(site, keyed={"tasks": earlier}, everything={"tasks": ids})
            yield site
    if own:
        for place, artifact in enumerate(workflow.outputs.artifacts):
            spot = ("outputs", "artifacts", place)
            yield Site((((*spot, "path"), artifact.path), ((*spot, "from"), artifact.source)), names)


def _vars(section: Section) -> frozenset[str]:
    return frozenset(section.vars) if isinstance(section, AgentStep) else frozenset()
