"""Workflow: tasks with dependencies, each started as soon as what it waits for is done."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace

from weft.core.ancestry import Ancestry
from weft.plan.nodes import Graph, Join, Node, Sequence, Set
from weft.plan.patterns.compiler import Compiler, Slot
from weft.plan.patterns.people import verbatim
from weft.plan.patterns.steps import join_of
from weft.spec.model.patterns import TaskGraph
from weft.spec.model.steps import AgentTask, HitlTask, Task
from weft.spec.tasks import asking, depths, full_deps, task_reads


def compile_tasks(pattern: TaskGraph, compiler: Compiler, name: str) -> Node:
    """A graph whose children are the tasks, at ``/<task id>``."""
    tasks = pattern.config.tasks
    deps = full_deps(tasks)
    depth = depths(tasks)
    join = join_of(pattern.config.join, len(tasks))
    place = {task.id: position for position, task in enumerate(tasks)}
    order = sorted(tasks, key=lambda task: (depth[task.id], place[task.id]))
    asked = asking(tasks)
    ancestry = Ancestry(list(deps), deps)
    graph = Graph(
        name="tasks" if asked else name,
        children=tuple(_task(task, deps, asked, ancestry, compiler) for task in tasks),
        deps={task: needed for task, needed in deps.items() if needed},
        into="tasks",
        join=join,
        max_parallel=compiler.workflow.runtime.max_parallel,
        value={"response": _response(order[-1].id, join)},
    )
    if not asked:
        return graph
    answers = Set(name="answers", values={"hitl_response": _response(asked[-1], join)})
    return Sequence(name=name, children=(graph, answers), exports=("hitl_response",))


def _task(
    task: Task, deps: Mapping[str, tuple[str, ...]], asked: list[str], ancestry: Ancestry, compiler: Compiler
) -> Node:
    """The node of a task, inside which names that only steps in a row have are those of what the task waits for."""
    slot = Slot(task.id, prompt=_default_prompt(task, deps[task.id], compiler))
    names = task_reads(task).names
    bound: dict[str, str] = {}
    if deps[task.id] and "last_response" in names:
        bound["last_response"] = _reference((task.deps or deps[task.id])[-1])
    if "hitl_response" in names:
        last = next((name for name in reversed(asked) if ancestry.precedes(name, task.id)), None)
        if last is not None:
            bound["hitl_response"] = _reference(last)
    if not bound:
        return compiler.step(task, slot)
    if isinstance(task, AgentTask):
        return compiler.step(task.model_copy(update={"input": _bind(bound, task.input)}), slot)
    if isinstance(task, HitlTask):
        return compiler.step(task.model_copy(update={"context_display": _bind(bound, task.context_display)}), slot)
    inside = compiler.step(task, replace(slot, name="task"))
    return Sequence(name=task.id, children=(Set(name="names", values=bound), inside))


def _bind(names: Mapping[str, str], text: str | None) -> str:
    return "".join(f"{{% set {name} = {value} %}}" for name, value in names.items()) + (text or "")


def _default_prompt(task: Task, deps: tuple[str, ...], compiler: Compiler) -> str:
    parts = [verbatim(task.description)] if task.description else []
    parts += [f"Result of {name}:\n{{{{ {_reference(name)} }}}}" for name in deps]
    return "\n\n".join(parts) if parts else compiler.opening


def _reference(task: str) -> str:
    return f"tasks[{json.dumps(task)}].response"


def _response(task: str, join: Join) -> str:
    """The response of the run: that of the last task, if it is there under a lenient join."""
    reference = _reference(task)
    if join.policy == "all":
        return reference
    return f"{reference} if {json.dumps(task)} in tasks and {reference} is defined else ''"
