"""Drafts: the steps of a plan as people and models write them, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

MAX_STEPS = 50
"""Steps of one draft."""
MAX_TASK = 4_000
TAKEN = frozenset({"combine"})
"""Names in a plan that no step may have."""
_ID = 60

SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "required": ["steps"],
    "properties": {
        "steps": {
            "type": "array",
            "minItems": 1,
            "maxItems": MAX_STEPS,
            "items": {
                "type": "object",
                "required": ["id", "agent", "task"],
                "properties": {
                    "id": {"type": "string", "minLength": 1, "maxLength": _ID},
                    "agent": {"type": "string", "minLength": 1},
                    "task": {"type": "string", "minLength": 1, "maxLength": MAX_TASK},
                    "after": {"type": "array", "items": {"type": "string"}, "default": []},
                },
            },
        }
    },
}
"""The form of a draft."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step: who does what, and after which steps."""

    id: str
    agent: str
    task: str
    after: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """What it is called, and by whom it is done where that is not the same."""
        return self.id if self.id == self.agent else f"{self.id} ({self.agent})"

    def as_json(self) -> dict[str, Any]:
        """The step as people edit it."""
        return {"id": self.id, "agent": self.agent, "task": self.task} | (
            {"after": list(self.after)} if self.after else {}
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """The steps of a plan. `why` says in a few words what this draft is good at, `score` how well its agents fit."""

    steps: tuple[Step, ...]
    why: str = "as asked"
    score: float = 0.0
    notes: tuple[str, ...] = field(default=())

    def as_json(self) -> dict[str, Any]:
        """The draft as plain data."""
        return {
            "steps": [step.as_json() for step in self.steps],
            "why": self.why,
            "score": round(self.score, 3),
            **({"notes": list(self.notes)} if self.notes else {}),
        }

    def waves(self) -> list[list[Step]]:
        """The steps in waves: each wave needs only those before it."""
        level: dict[str, int] = {}
        for step in self.steps:
            level[step.id] = 1 + max((level[name] for name in step.after), default=-1)
        return [[step for step in self.steps if level[step.id] == at] for at in range(max(level.values()) + 1)]

    def ends(self) -> tuple[str, ...]:
        """The steps that no other one goes on with."""
        used = {name for step in self.steps for name in step.after}
        return tuple(step.id for step in self.steps if step.id not in used)


def draft_of(data: Mapping[str, Any]) -> Draft:
    """The draft in data that has no problems, its steps in an order in which they can be done."""
    steps = [
        Step(
            id=one["id"],
            agent=one["agent"],
            task=one["task"].strip(),
            after=tuple(dict.fromkeys(one.get("after") or ())),
        )
        for one in data["steps"]
    ]
    return Draft(
        steps=in_order(steps),
        why=str(data.get("why") or "as asked"),
        score=float(data.get("score") or 0.0),
        notes=tuple(data.get("notes") or ()),
    )


def in_order(steps: Iterable[Step]) -> tuple[Step, ...]:
    """Steps so that each stands after those that it needs, otherwise as they stood."""
    left, done, found = list(steps), set[str](), list[Step]()
    while left:
        step = next((one for one in left if done.issuperset(one.after)), None)
        if step is None:
            raise ValueError("the steps wait for each other")
        left.remove(step)
        done.add(step.id)
        found.append(step)
    return tuple(found)


def problems(data: Any, agents: Sequence[str], max_steps: int = MAX_STEPS) -> list[str]:
    """What is wrong with a draft, a sentence each, for a person or a model to read."""
    found = _shape(data, max_steps)
    if found:
        return found
    steps = data["steps"]
    ids = [one["id"] for one in steps]
    found += [f"the id {name!r} is used twice" for name in sorted({name for name in ids if ids.count(name) > 1})]
    found += [f"the id {name!r} is taken: call the step otherwise" for name in ids if name in TAKEN]
    for one in steps:
        if one["agent"] not in agents:
            found.append(f"step {one['id']!r}: there is no agent {one['agent']!r}; there are {', '.join(agents)}")
        found += [
            f"step {one['id']!r} comes after {name!r}, which is no step"
            for name in one.get("after") or ()
            if name not in ids
        ]
    if not found:
        try:
            draft_of(data)
        except ValueError:
            found.append("some steps wait for each other in a circle: take one `after` out")
    return found


def _shape(data: Any, max_steps: int) -> list[str]:
    if not isinstance(data, Mapping) or not isinstance(data.get("steps"), list) or not data["steps"]:
        return ["there is no list `steps` with at least one step"]
    if len(data["steps"]) > max_steps:
        return [f"there are {len(data['steps'])} steps, more than {max_steps}"]
    found = []
    for place, one in enumerate(data["steps"]):
        if not isinstance(one, Mapping):
            found.append(f"step {place + 1} is no map of id, agent, task and after")
            continue
        for name, size in (("id", _ID), ("agent", _ID), ("task", MAX_TASK)):
            value = one.get(name)
            if not isinstance(value, str) or not value.strip():
                found.append(f"step {place + 1} has no text `{name}`")
            elif name != "agent" and len(value) > size:
                found.append(f"step {place + 1}: `{name}` is longer than {size} characters")
        after = one.get("after") or []
        if not isinstance(after, list) or not all(isinstance(name, str) for name in after):
            found.append(f"step {place + 1}: `after` is no list of ids")
        if isinstance(one.get("id"), str) and not _plain_id(one["id"]):
            found.append(
                f"step {place + 1}: the id {one['id'][:_ID]!r} has other signs than letters, digits, `-` and `_`"
            )
    return found


def _plain_id(name: str) -> bool:
    return name.replace("-", "").replace("_", "").isalnum() and name.isascii()
