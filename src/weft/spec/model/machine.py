# ruff: noqa: RUF012 -- Pydantic copies mutable defaults
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Discriminator, Field, Tag

from weft.spec.model.base import Identifier, Section, Text, addition
from weft.spec.model.flow import Delay, Do, Variable
from weft.spec.model.runtime import Count

T = TypeVar("T", bound=Section)


class Transition(Section):
    """A way out of a state, open when `guard` holds. `do` comes after the exit steps; without `to` the state is not left."""

    to: Identifier | None = None
    guard: Text | None = None
    do: Do | None = None


class Timer(Transition):
    """A way that opens when the state has lasted so long."""

    seconds: Delay


class Always(Section):
    """A way that is taken at once when its guard holds."""

    to: Identifier
    guard: Text | None = None
    do: Do | None = None


def _form(value: Any) -> str:
    if isinstance(value, list):
        return "<list>"
    return "<text>" if isinstance(value, str) else "<map>"


Transitions = Annotated[
    Annotated[Identifier, Tag("<text>")]
    | Annotated[Transition, Tag("<map>")]
    | Annotated[Annotated[list[Transition], Field(min_length=1)], Tag("<list>")],
    Discriminator(_form),
]
Timers = Annotated[
    Annotated[Timer, Tag("<map>")] | Annotated[Annotated[list[Timer], Field(min_length=1)], Tag("<list>")],
    Discriminator(_form),
]
Immediate = Annotated[
    Annotated[Identifier, Tag("<text>")]
    | Annotated[Always, Tag("<map>")]
    | Annotated[Annotated[list[Always], Field(min_length=1)], Tag("<list>")],
    Discriminator(_form),
]


class MachineState(Section):
    """A state: what is done on entering and leaving it, and the ways out of it."""

    entry: Do | None = None
    exit: Do | None = None
    on: dict[Identifier, Transitions] = {}
    after: Timers | None = None
    always: Immediate | None = None
    defer: list[Identifier] = []
    final: bool = False

    def events(self) -> dict[str, list[Transition]]:
        """The ways out by event, in declared order."""
        return {name: _listed(ways, Transition) for name, ways in self.on.items()}

    def timers(self) -> list[Timer]:
        """The ways that open after a time."""
        return [] if self.after is None else _listed(self.after, Timer)

    def immediate(self) -> list[Always]:
        """The ways that are taken without an event."""
        return [] if self.always is None else _listed(self.always, Always)


def _listed(ways: Any, kind: type[T]) -> list[T]:
    if isinstance(ways, str):
        return [kind.model_validate({"to": ways})]
    return ways if isinstance(ways, list) else [ways]


class StateMachineConfig(Section):
    """States, and what leads from one to another. `context` names values that steps can change."""

    initial: Identifier
    states: Annotated[dict[Identifier, MachineState], Field(min_length=1)]
    context: dict[Variable, Any] = {}
    max_visits: Count = 10_000


class StateMachine(Section):
    """``type: state_machine``."""

    type: Literal["state_machine"] = addition(default=...)
    config: StateMachineConfig
