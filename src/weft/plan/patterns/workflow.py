"""Workflow: tasks with dependencies, each started as soon as what it waits for is done."""

from __future__ import annotations

import json

from weft.plan.nodes import Graph, Join, Node
from weft.plan.patterns.steps import compile_step, join_of, opening_prompt
from weft.spec.model.patterns import TaskGraph
from weft.spec.model.steps import AgentTask, Task
from weft.spec.model.workflow import Workflow
from weft.spec.references import reads
from weft.spec.tasks import depths, full_deps


def compile_tasks(pattern: TaskGraph, workflow: Workflow) -> Node:
    """A graph whose children are the tasks, at ``/<task id>``."""
    tasks = pattern.config.tasks
    deps = full_deps(tasks)
    depth = depths(tasks)
    join = join_of(pattern.config.join, len(tasks))
    place = {task.id: position for position, task in enumerate(tasks)}
    last = max(tasks, key=lambda task: (depth[task.id], place[task.id]))
    return Graph(
        name="",
        children=tuple(_task(task, deps[task.id], workflow) for task in tasks),
        deps={name: needed for name, needed in deps.items() if needed},
        into="tasks",
        join=join,
        max_parallel=workflow.runtime.max_parallel,
        value={"response": _response(last.id, join)},
    )


def _task(task: Task, deps: tuple[str, ...], workflow: Workflow) -> Node:
    prompt = _default_prompt(task, deps, workflow)
    if isinstance(task, AgentTask) and deps and "last_response" in reads(task.input or "").names:
        # Only a sequence has a last response of its own; a task's is that of the last dependency it declares.
        bound = f"{{% set last_response = {_reference(deps[-1])} %}}{task.input}"
        task = task.model_copy(update={"input": bound})
    return compile_step(task, workflow, name=task.id, index=None, prompt=prompt)


def _default_prompt(task: Task, deps: tuple[str, ...], workflow: Workflow) -> str:
    parts = [_verbatim(task.description)] if task.description else []
    parts += [f"Result of {name}:\n{{{{ {_reference(name)} }}}}" for name in deps]
    return "\n\n".join(parts) if parts else opening_prompt(workflow)


def _verbatim(text: str) -> str:
    return "{{ " + json.dumps(text, ensure_ascii=False) + " }}" if "{" in text else text


def _reference(task: str) -> str:
    return f"tasks[{json.dumps(task)}].response"


def _response(task: str, join: Join) -> str:
    """The response of the run: that of the last task, if it is there under a lenient join."""
    reference = _reference(task)
    if join.policy == "all":
        return reference
    return f"{reference} if {json.dumps(task)} in tasks and {reference} is defined else ''"
