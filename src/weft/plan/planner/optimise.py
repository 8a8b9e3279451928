"""Better drafts of the same meaning: no step twice, no order that says nothing, and other shapes to choose from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from weft.plan.planner.draft import Draft, Step, in_order
from weft.plan.planner.words import words


def optimised(draft: Draft) -> Draft:
    """`draft` with equal steps merged, and without an `after` that another one implies."""
    merged = _merged(draft.steps)
    steps = _reduced(merged)
    notes = list(draft.notes)
    if len(steps) < len(draft.steps):
        notes.append(f"{len(draft.steps) - len(steps)} of {len(draft.steps)} steps were there twice and are done once")
    return replace(draft, steps=steps, notes=tuple(notes))


def alternatives(draft: Draft, others: Iterable[Draft], count: int) -> tuple[Draft, ...]:
    """`draft` and up to `count` - 1 drafts that differ from it and from each other, the best first."""
    found = [draft]
    for other in (_fewer(draft), *map(optimised, others), _one_by_one(draft)):
        if len(found) >= count:
            break
        if all(_key(other) != _key(one) for one in found):
            found.append(other)
    return tuple(found)


def _key(draft: Draft) -> object:
    return [(step.agent, step.task, step.after) for step in draft.steps]


def _merged(steps: Sequence[Step]) -> tuple[Step, ...]:
    """Steps of the same agent with the same task, between the same steps, are one."""
    stands: dict[str, str] = {}
    kept: dict[object, Step] = {}
    for step in steps:
        after = tuple(dict.fromkeys(stands[name] for name in step.after))
        key = (step.agent, tuple(words(step.task)) or step.task, frozenset(after))
        twin = kept.get(key)
        # What follows its own twin only repeats it.
        twin = twin or next((one for one in kept.values() if _same(one, step) and after == (one.id,)), None)
        stands[step.id] = twin.id if twin else step.id
        if twin is None:
            kept[key] = replace(step, after=after)
    return tuple(kept.values())


def _same(one: Step, other: Step) -> bool:
    return one.agent == other.agent and words(one.task) == words(other.task)


def _reduced(steps: Sequence[Step]) -> tuple[Step, ...]:
    before: dict[str, set[str]] = {}
    found = []
    for step in steps:
        far = set().union(*(before[name] for name in step.after)) if step.after else set()
        before[step.id] = far | set(step.after)
        found.append(replace(step, after=tuple(name for name in step.after if name not in far)))
    return tuple(found)


def _fewer(draft: Draft) -> Draft:
    """Fewer steps: what one agent does right after its own step becomes one step."""
    steps = list(draft.steps)
    for place in reversed(range(len(steps))):
        # From the last one on: what a step comes after is still there as it was.
        step = steps[place]
        if len(step.after) != 1:
            continue
        at = next(at for at, one in enumerate(steps) if one.id == step.after[0])
        first = steps[at]
        if first.agent == step.agent and sum(first.id in one.after for one in steps) == 1:
            steps[at] = replace(first, task=f"{first.task} Then: {step.task}")
            del steps[place]
            steps = [_moved(one, step.id, first.id) for one in steps]
    return replace(draft, steps=in_order(steps), why="fewer steps: one call for what an agent does in a row")


def _moved(step: Step, old: str, new: str) -> Step:
    return replace(step, after=tuple(new if name == old else name for name in step.after))


def _one_by_one(draft: Draft) -> Draft:
    """One step after the other: slower, and each sees all that was done before it."""
    steps = [
        replace(step, after=(draft.steps[place - 1].id,) if place else ()) for place, step in enumerate(draft.steps)
    ]
    return replace(draft, steps=tuple(steps), why="one after the other: each step sees all before it")
