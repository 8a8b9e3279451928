"""The order of tasks: layers, cycles, and the dependencies that templates imply."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from weft.core.ancestry import Ancestry
from weft.spec.model.steps import HitlTask, Task
from weft.spec.references import Reads
from weft.spec.texts import reads_within


def depths(tasks: Sequence[Task]) -> dict[str, int]:
    """The layer of each task: 0 without dependencies, else one more than its deepest; tasks on a cycle are left out."""
    known = {task.id for task in tasks}
    waits = {task.id: {dep for dep in task.deps if dep in known} for task in tasks}
    followers: dict[str, list[str]] = {}
    for name, deps in waits.items():
        for dep in deps:
            followers.setdefault(dep, []).append(name)
    depth: dict[str, int] = {}
    ready = [name for name, deps in waits.items() if not deps]
    layer = 0
    while ready:
        depth.update(dict.fromkeys(ready, layer))
        freed = []
        for name in ready:
            for follower in followers.get(name, ()):
                waits[follower].discard(name)
                if not waits[follower]:
                    freed.append(follower)
        ready = freed
        layer += 1
    return depth


@dataclass(frozen=True, slots=True)
class Earlier(Collection[str]):
    """The tasks of the layers before `layer`: what has run by then in the language's own order."""

    depth: Mapping[str, int]
    layer: int

    def __contains__(self, name: object) -> bool:
        return self.depth.get(name, self.layer) < self.layer  # type: ignore[call-overload, no-any-return]  # other keys are none

    def __iter__(self) -> Iterator[str]:
        return (name for name, layer in self.depth.items() if layer < self.layer)

    def __len__(self) -> int:
        return sum(1 for _name in self)


def cycle(tasks: Sequence[Task]) -> list[str]:
    """The ids of one cycle in the order of dependency, first repeated at the end; empty when there is none."""
    depth = depths(tasks)
    deps = {task.id: [dep for dep in task.deps if dep not in depth] for task in tasks if task.id not in depth}
    if not deps:
        return []
    path = [next(iter(deps))]
    while path[-1] not in path[:-1]:
        path.append(next(dep for dep in deps[path[-1]] if dep in deps))
    return path[path.index(path[-1]) :]


def task_reads(task: Task) -> Reads:
    """What the templates of a task read, and those of the steps inside it.

    Raises:
        TemplateError: one of them is not a template.
    """
    return reads_within(task)


def full_deps(tasks: Sequence[Task]) -> dict[str, tuple[str, ...]]:
    """The dependencies of each task, with those that its templates imply.

    A template may read any task of an earlier layer. One that is not declared in `deps`, directly or not, is added, so
    that it is done when the template is filled; one that reads ``tasks`` as a whole waits for all earlier layers, and one that reads
    ``hitl_response`` for the last person of earlier layers who is asked.
    """
    declared = {task.id: tuple(dict.fromkeys(task.deps)) for task in tasks}
    ancestry = Ancestry(list(declared), declared)
    depth = depths(tasks)
    asked = asking(tasks)
    result: dict[str, tuple[str, ...]] = {}
    for task in tasks:
        earlier = Earlier(depth, depth.get(task.id, 0))
        needed = sorted(set(implied(task, earlier, asked)) - set(task.deps))
        result[task.id] = declared[task.id] + tuple(name for name in needed if not ancestry.precedes(name, task.id))
    return result


def asking(tasks: Sequence[Task]) -> list[str]:
    """The ids of the tasks that ask a person, in the order of layers and, within a layer, of declaration."""
    found = [task.id for task in tasks if isinstance(task, HitlTask)]
    if len(found) < 2:
        return found
    depth = depths(tasks)
    return sorted(found, key=lambda name: depth.get(name, 0))


def implied(task: Task, earlier: Collection[str], asked: Sequence[str] = ()) -> list[str]:
    """The tasks of earlier layers that the templates of `task` read, by id; `asked` are those that ask a person."""
    found = task_reads(task)
    keys = list(found.keys_of("tasks"))
    if any(not key or key[0] not in earlier for key in keys):
        return sorted(earlier)
    answered = [name for name in asked if name in earlier][-1:] if "hitl_response" in found.names else []
    return sorted({*(str(key[0]) for key in keys), *answered})
