"""Who answers, found out from what is asked: a model as it stands, the one agent that fits best, or several of them by a plan.

The agents are those that are served and need no more than a message. A plan is made by the rules of `weft.plan.planner` over their cards; each
of its steps is a run of its own.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from weft.app.alone import offered
from weft.app.documents import Prepared, plan_alone
from weft.app.service import ModelChoice
from weft.app.serving.copies import working_folder
from weft.app.serving.inputs import Message
from weft.app.serving.library import Library, Published
from weft.app.serving.passing import relayed
from weft.app.serving.turns import Made
from weft.core.canonical import dumps
from weft.core.errors import InputError, RejectedError, WeftError
from weft.core.settings import Settings
from weft.models.ref import ModelRef
from weft.models.registry import check_credentials
from weft.plan.nodes import Block, Plan
from weft.plan.nodes import Sequence as InOrder
from weft.plan.patterns.planning import carried_out
from weft.plan.planner.cards import Card, card_of
from weft.plan.planner.draft import Step
from weft.plan.planner.match import Matcher
from weft.plan.planner.parse import MAX_REQUEST
from weft.plan.planner.rules import propose

AUTO = "weft/auto"
Mode = Literal["auto", "pass-through", "reasoning", "orchestration"]
MAX_AGENTS = 200
_MAX_TOOLS = 2_000_000
"""Bytes of the client's tools in one plan, where each of its agents has them."""
_SETTINGS: Mapping[str, Any] = {
    "ambiguous": "first",
    "approve": False,
    "assignees": [],
    "deadline_s": None,
    "alternatives": 1,
    "max_steps": 20,
    "cache_s": 0,
    "writer": None,
    "max_parallel": 8,
}
"""Nobody can be asked in the middle of an answer, and what is asked is nobody's to keep."""


@dataclass(frozen=True, slots=True)
class Route:
    """How a request is answered: the mode that was found, and what is asked."""

    mode: Mode
    target: Published | Made


@dataclass(frozen=True, slots=True)
class _Agent:
    published: Published
    prepared: Prepared
    name: str
    """Its name in its workflow."""
    definition: Mapping[str, Any]


class Automatic:
    """Finds routes over what one library serves."""

    def __init__(self, settings: Settings, library: Library, choice: ModelChoice) -> None:
        self._settings = settings
        self._library = library
        self._choice = choice
        self._known: dict[tuple[Any, ...], _Agent | None] = {}

    def route(
        self, mode: Mode, messages: Sequence[Message], *, tenant: str = "local", tools: Sequence[Mapping[str, Any]] = ()
    ) -> Route:
        """Who answers the last of `messages`. In a plan every agent may call the client's `tools`; whoever answers alone is offered them by the caller.

        Raises:
            RejectedError: nobody who is served can.
            InputError: nothing is asked, the mode needs a model that the settings do not allow, or there are too many tools for a plan.
        """
        request = next((one.content.strip() for one in reversed(messages) if one.role == "user"), "")
        if not request:
            raise InputError("there is no message to answer", fix="end the conversation with a message of the user")
        agents = self._agents(tenant) if mode != "pass-through" else {}
        cards = tuple(card_of(name, agent.definition) for name, agent in agents.items())
        found, agent = self._decide(request, cards) if mode == "auto" else (mode, "")
        if found == "pass-through":
            return Route(found, self._model())
        if found == "reasoning":
            return Route(found, agents[agent or self._best(request, cards)].published)
        if not agents:
            raise _nobody(request, cards)
        return Route(found, self._planned(_with_tools(agents, tools, _drafted(request, cards)) if tools else agents))

    def _decide(self, request: str, cards: Sequence[Card]) -> tuple[Mode, str]:
        """The mode for a request, and the agent where one is enough.

        Several tasks that somebody can do are planned; a single one goes to whom it fits; what fits nobody goes to a model as it stands.
        """
        if not cards:
            return "pass-through", ""
        steps = _drafted(request, cards)
        if len(steps) > 1:
            return "orchestration", ""
        best = steps[0].agent if steps else Matcher(cards).best(request[:MAX_REQUEST])
        if best is None and self._models():
            return "pass-through", ""
        return "reasoning", best or self._best(request, cards)

    def _best(self, request: str, cards: Sequence[Card]) -> str:
        best = cards[0].id if len(cards) == 1 else Matcher(cards).best(request[:MAX_REQUEST])
        if best is None:
            raise _nobody(request, cards)
        return best

    def _models(self) -> list[str]:
        names = [name for name in self._settings.server.models if not name.endswith("/*")]
        return [name for name in names if name.startswith("offline/") or not self._choice.offline]

    def _model(self) -> Made:
        models = self._models()
        if not models:
            raise InputError("no model may be asked as it stands", fix="name one in the setting server.models")
        return relayed(models[0], self._choice)

    def _planned(self, agents: Mapping[str, _Agent]) -> Made:
        """A plan that makes a plan of the request, and carries it out."""
        given = {"request": "{{ request }}"}
        settings = {**_SETTINGS, "agents": sorted(agents)}
        children = carried_out(settings, given, {"messages": "messages"})
        plan = Plan(
            workflow=AUTO,
            root=Block(name="", body=InOrder(name="", children=children)),
            definitions={
                "name": AUTO,
                "pattern": "plan",
                "agents": {name: {**agent.definition, "given": _given(agent)} for name, agent in agents.items()},
            },
            children={name: agent.prepared.plan for name, agent in agents.items()},
        )
        return Made(name=AUTO, plan=plan)

    def _agents(self, tenant: str) -> dict[str, _Agent]:
        served = [one for one in self._library.all(tenant=tenant) if one.kind == "agent"]
        found = ((one.name, self._agent(one)) for one in served[:MAX_AGENTS])
        return {name: agent for name, agent in found if agent is not None}

    def _agent(self, one: Published) -> _Agent | None:
        """A served agent as others can run it; None for one that needs more than a message, or cannot be run here."""
        key = (one.name, one.file, one.changed_at, one.version)
        if key not in self._known:
            if len(self._known) > MAX_AGENTS:
                self._known.clear()
            try:
                self._known[key] = self._prepared(one)
            except WeftError:
                self._known[key] = None
        return self._known[key]

    def _prepared(self, one: Published) -> _Agent:
        name = one.agent or next(iter(one.workflow.agents))
        prepared = plan_alone(one.workflow, name, one.file, self._choice)
        definition: Mapping[str, Any] = prepared.plan.definitions["agents"][name]
        check_credentials(ModelRef.parse(definition["model"], base_url=definition.get("base_url")), os.environ)
        folder = self._settings.tools.workdir or working_folder(self._settings.home, one.file.resolve())
        definitions = {**prepared.plan.definitions, "workdir": str(folder)}
        return _Agent(one, replace(prepared, plan=replace(prepared.plan, definitions=definitions)), name, definition)


def _drafted(request: str, cards: Sequence[Card]) -> tuple[Step, ...]:
    """The steps of the plan that the rules would make; none where they would not make one."""
    if len(request) > MAX_REQUEST:
        return ()
    try:
        proposal = propose(request, cards, max_steps=_SETTINGS["max_steps"])
    except InputError:
        return ()  # too many tasks for a plan
    return proposal.drafts[0].steps if proposal.drafts else ()


def _with_tools(
    agents: Mapping[str, _Agent], tools: Sequence[Mapping[str, Any]], steps: Sequence[Step]
) -> dict[str, _Agent]:
    """The agents of these steps, each offered the client's tools beside its own; under a name that it has, its own stays.

    Raises:
        InputError: there are too many, or they are too long.
    """
    wanted = {step.agent for step in steps} or agents.keys()
    if len(dumps(list(tools))) * len(wanted) > _MAX_TOOLS:
        raise InputError("the tools are too many for a plan of several agents", fix="offer fewer, or ask one agent")
    return {name: _offered(agent, tools) for name, agent in agents.items() if name in wanted}


def _offered(agent: _Agent, tools: Sequence[Mapping[str, Any]]) -> _Agent:
    plan = agent.prepared.plan
    taken = {*(plan.definitions.get("tools") or {}), *agent.definition["tools"]}
    more = [one for one in tools if one["name"] not in taken]
    return replace(agent, prepared=replace(agent.prepared, plan=offered(plan, more, agent=agent.name)))


def _given(agent: _Agent) -> dict[str, Any]:
    """What a run of the agent begins with, but for what it is asked."""
    return {name: value for name, value in agent.prepared.scope.items() if name not in {"message", "messages"}}


def _nobody(request: str, cards: Sequence[Card]) -> RejectedError:
    names = ", ".join(card.id for card in cards[:20]) or "none"
    return RejectedError(
        f"no agent here can do this: {request[:200]!r}",
        fix=f"serve an agent whose `card` names it among its capabilities; there are: {names}",
    )


def planning_inputs(messages: Sequence[Message]) -> dict[str, Any]:
    """The inputs of a run that plans what is asked: the request, and what was said before."""
    last = max(place for place, one in enumerate(messages) if one.role == "user")
    return {"request": messages[last].content, "messages": [one.as_json() for one in messages[:last]]}
