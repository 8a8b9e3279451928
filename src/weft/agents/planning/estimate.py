"""What a plan will take: ranges of tokens and money, and which models have no known price."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from pydantic_ai.usage import RequestUsage

from weft.agents.builder import model_ref
from weft.models.prices import price
from weft.plan.planner.build import prompt_of
from weft.plan.planner.draft import Draft

CHARS = 4
"""Characters of a token, roughly."""
SHORT, LONG = 60, 1_200
"""Tokens of an answer: of a short one, and of a long one when the agent has no limit of its own."""
TOOL_CALLS = 4
"""Requests of an agent that uses its tools."""


def estimate(draft: Draft, request: str, definitions: Mapping[str, Any]) -> dict[str, Any]:
    """Tokens and money for `draft`: at least, and at most if nothing is tried again.

    Money is null when the price of a model is not known; ``unpriced`` names those models.
    """
    agents: Mapping[str, Any] = definitions.get("agents") or {}
    steps = {step.id: step for step in draft.steps}
    low_out, high_out = {}, {}
    tokens, money = [0, 0], [Decimal(0), Decimal(0)]
    unpriced: set[str] = set()
    rows = []
    for step in draft.steps:
        definition = agents[step.agent]
        limit = (definition.get("inference") or {}).get("max_tokens")
        fixed = (len(prompt_of(step, steps, request)) + len(str(definition.get("prompt") or ""))) // CHARS + 1
        low_out[step.id], high_out[step.id] = min(SHORT, limit or SHORT), limit or LONG
        calls = TOOL_CALLS if definition.get("tools") else 1
        sides = []
        for place, (out, times) in enumerate(((low_out, 1), (high_out, calls))):
            given = fixed + sum(out[name] for name in step.after)
            # Each further request carries what was said before it.
            taken = sum(given + turn * out[step.id] for turn in range(times))
            made = out[step.id] * times
            # What a remote agent costs is not ours to know.
            ref = model_ref(definition) if "model" in definition else None
            cost = None if ref is None else price(RequestUsage(input_tokens=taken, output_tokens=made), ref)
            tokens[place] += taken + made
            if cost is None:
                unpriced.add(str(definition.get("model") or definition["a2a"]))
            else:
                money[place] += cost
            sides.append(taken + made)
        rows.append(
            {
                "id": step.id,
                "model": definition.get("model") or definition["a2a"],
                "tokens": {"low": sides[0], "high": sides[1]},
            }
        )
    known = not unpriced
    return {
        "requests": {
            "low": len(draft.steps),
            "high": sum(TOOL_CALLS if agents[step.agent].get("tools") else 1 for step in draft.steps),
        },
        "tokens": {"low": tokens[0], "high": tokens[1]},
        "cost_usd": {"low": str(money[0]), "high": str(money[1])} if known else None,
        "unpriced": sorted(unpriced),
        "steps": rows,
    }


def cost_text(figures: Mapping[str, Any]) -> str:
    """The figures in one line."""
    tokens, cost = figures["tokens"], figures["cost_usd"]
    text = f"about {tokens['low']:,} to {tokens['high']:,} tokens"
    if cost is None:
        return f"{text}; the cost is not known: no price for {', '.join(figures['unpriced'])}"
    return f"{text}, ${Decimal(cost['low']):.4f} to ${Decimal(cost['high']):.4f}"
