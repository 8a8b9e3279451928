# ruff: noqa: RUF012 -- Pydantic copies mutable defaults
"""Steps that steer other steps: they wait, compute, choose, repeat for each item, fall back, and hold whole patterns and workflows."""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from weft.spec.model.base import Identifier, Pointer, Seconds, Section, Text, addition, by_shape
from weft.spec.model.joins import Join
from weft.spec.model.late import Late
from weft.spec.model.runtime import Budgets, Count

Variable = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=100)]
"""A name that templates can read."""

AnyStep = Annotated[Section, Late("step")]
Steps = Annotated[list[AnyStep], Field(min_length=1)]


def _list_or_one(value: Any) -> str:
    return "<list>" if isinstance(value, list) else "<one>"


Do = Annotated[Annotated[AnyStep, Tag("<one>")] | Annotated[Steps, Tag("<list>")], Discriminator(_list_or_one)]
"""What is to be done: a step, or several one after the other."""

Delay = Annotated[
    Annotated[float, Field(ge=0), Tag("<map>")] | Annotated[Text, Tag("<text>")],
    by_shape(),
]
"""Seconds, or an expression that gives them."""


def steps_of(do: Section | list[Section] | None) -> list[Section]:
    """The steps of a `Do`, one or several."""
    return [] if do is None else do if isinstance(do, list) else [do]


def placed(do: Section | list[Section] | None, pointer: Pointer) -> list[tuple[Pointer, Section]]:
    """The steps of a `Do` that stands at `pointer`, each with its own place."""
    if isinstance(do, list):
        return [((*pointer, place), step) for place, step in enumerate(do)]
    return [] if do is None else [(pointer, do)]


class SignalRule(Section):
    """A signal that is waited for; one for which `when` does not hold is passed over."""

    name: Identifier
    when: Text | None = None


SignalName = Annotated[Annotated[Identifier, Tag("<text>")] | Annotated[SignalRule, Tag("<map>")], by_shape()]


class WaitRule(Section):
    """How long, until when, or for what. What comes first ends the wait; `into` names what came."""

    seconds: Delay | None = None
    until: Text | None = None
    signal: SignalName | None = None
    signals: Annotated[list[SignalName], Field(min_length=1)] | None = None
    into: Variable | None = None

    def awaited(self) -> list[SignalRule]:
        """Every signal that ends the wait."""
        names = [*([self.signal] if self.signal else []), *(self.signals or ())]
        return [name if isinstance(name, SignalRule) else SignalRule(name=name) for name in names]


class WaitStep(Section):
    """Wait for a time or a signal."""

    wait: WaitRule = addition(default=...)
    id: Identifier | None = addition()


class SetStep(Section):
    """Compute values and name them: a text is an expression, anything else stands for itself."""

    set: Annotated[dict[Variable, Any], Field(min_length=1)] = addition(default=...)
    id: Identifier | None = addition()


class Arm(Section):
    """What is done when a condition holds."""

    when: Text
    then: Do


class Otherwise(Section):
    """What is done when no condition holds."""

    steps: Do = Field(alias="else")


def _arm(value: Any) -> str:
    otherwise = "else" in value if isinstance(value, dict) else isinstance(value, Otherwise)
    return "<else>" if otherwise else "<when>"


class ChooseStep(Section):
    """The first arm whose condition holds."""

    choose: Annotated[
        list[Annotated[Annotated[Arm, Tag("<when>")] | Annotated[Otherwise, Tag("<else>")], Discriminator(_arm)]],
        Field(min_length=1),
    ] = addition(default=...)
    id: Identifier | None = addition()
    timeout_s: Seconds | None = addition()


class MapRule(Section):
    """Steps for each of several items. `key` gives each item its part of the path; `into` names the results."""

    items: Annotated[Annotated[Text, Tag("<text>")] | Annotated[list[Any], Tag("<map>")], by_shape()]
    item: Variable = Field(default="item", alias="as")
    do: Do
    key: Text | None = None
    join: Join = "all"
    max_parallel: Count | None = None
    into: Variable | None = None


class MapStep(Section):
    """The same steps for each item of a list."""

    map: MapRule = addition(default=...)
    id: Identifier | None = addition()
    timeout_s: Seconds | None = addition()


class FirstOfStep(Section):
    """One way after the other, until one succeeds."""

    first_of: Annotated[list[Do], Field(min_length=1)] = addition(default=...)
    id: Identifier | None = addition()
    timeout_s: Seconds | None = addition()


class WorkflowStep(Section):
    """Another workflow file, as a run of its own. Texts in `inputs` are templates."""

    workflow: Annotated[str, Field(min_length=1, max_length=300)] = addition(default=...)
    inputs: dict[str, Any] = {}
    budget: Budgets | None = None
    on_cancel: Literal["cancel", "abandon"] = "cancel"
    id: Identifier | None = addition()
    timeout_s: Seconds | None = addition()


class PatternStep(Section):
    """A whole pattern in the place of a step."""

    pattern: Annotated[Section, Late("pattern")] = addition(default=...)
    id: Identifier | None = addition()
    timeout_s: Seconds | None = addition()


class WaitTask(WaitStep):
    """A task that waits."""

    id: Identifier
    deps: list[Identifier] = []
    description: str = ""


class SetTask(SetStep):
    """A task that computes values; other tasks read them as ``tasks.<id>.<name>``."""

    id: Identifier
    deps: list[Identifier] = []
    description: str = ""


class ChooseTask(ChooseStep):
    """A task that chooses."""

    id: Identifier
    deps: list[Identifier] = []
    description: str = ""


class MapTask(MapStep):
    """A task for each item of a list."""

    id: Identifier
    deps: list[Identifier] = []
    description: str = ""


class FirstOfTask(FirstOfStep):
    """A task with other ways to do it."""

    id: Identifier
    deps: list[Identifier] = []
    description: str = ""


class WorkflowTask(WorkflowStep):
    """A task that is a run of another workflow."""

    id: Identifier
    deps: list[Identifier] = []
    description: str = ""


class PatternTask(PatternStep):
    """A task that is a whole pattern."""

    id: Identifier
    deps: list[Identifier] = []
    description: str = ""


FlowStep = WaitStep | SetStep | ChooseStep | MapStep | FirstOfStep | WorkflowStep | PatternStep
FLOW_KEYS = {
    "wait": "<wait>",
    "set": "<set>",
    "choose": "<choose>",
    "map": "<each>",
    "first_of": "<first_of>",
    "workflow": "<workflow>",
    "pattern": "<pattern>",
}
"""The key that tells each of these steps from the others."""
TaggedFlowStep = (
    Annotated[WaitStep, Tag("<wait>")]
    | Annotated[SetStep, Tag("<set>")]
    | Annotated[ChooseStep, Tag("<choose>")]
    | Annotated[MapStep, Tag("<each>")]
    | Annotated[FirstOfStep, Tag("<first_of>")]
    | Annotated[WorkflowStep, Tag("<workflow>")]
    | Annotated[PatternStep, Tag("<pattern>")]
)
TaggedFlowTask = (
    Annotated[WaitTask, Tag("<wait>")]
    | Annotated[SetTask, Tag("<set>")]
    | Annotated[ChooseTask, Tag("<choose>")]
    | Annotated[MapTask, Tag("<each>")]
    | Annotated[FirstOfTask, Tag("<first_of>")]
    | Annotated[WorkflowTask, Tag("<workflow>")]
    | Annotated[PatternTask, Tag("<pattern>")]
)
