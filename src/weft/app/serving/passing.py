"""Models as they stand: a plan that asks one, and which of them the settings let clients ask."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from weft.app.service import ModelChoice
from weft.app.serving.turns import Made
from weft.models.ref import ModelRef
from weft.plan.nodes import Block, Call, Plan, Retry, Sequence

GIVEN = ("messages", "settings", "tools", "form")
"""The inputs of such a run; see `weft.agents.relay`."""
_RETRY = Retry(attempts=2, backoff="constant", wait_min=0.2, wait_max=0.2)


def is_allowed(model: str, allowed: Iterable[str]) -> bool:
    """Whether `model`, ``provider/name``, is among those that clients may ask: by its name, or as one of ``provider/*``."""
    provider, slash, name = model.partition("/")
    return bool(provider and slash and name and name != "*") and not {model, f"{provider}/*"}.isdisjoint(allowed)


def relayed(model: str, choice: ModelChoice) -> Made:
    """What asks `model` once, without an agent.

    Raises:
        InputError: this is no model id.
    """
    ref = ModelRef.parse(model)
    definition: dict[str, Any] = {
        "model": ref.id,
        "prompt": "",
        "tools": [],
        "inference": {},
        "base_url": choice.base_url,
    }
    given = {name: f"{{{{ {name} }}}}" for name in GIVEN}
    ask = Call(name="ask", performer="model", target=ref.id, input=given, retry=_RETRY)
    plan = Plan(
        workflow=ref.id,
        root=Block(name="", body=Sequence(name="", children=(ask,))),
        definitions={"name": ref.id, "pattern": "model", "agents": {ref.id: definition}},
    )
    return Made(name=ref.id, plan=plan)
