"""What a plan is said to take."""

from __future__ import annotations

from decimal import Decimal

from weft.agents.planning.estimate import cost_text, estimate
from weft.plan.planner.draft import Draft, Step

ONE = Draft(steps=(Step(id="a", agent="a", task="Write."),))
TWO = Draft(steps=(*ONE.steps, Step(id="b", agent="a", task="Write more.", after=("a",))))


def figures(draft=ONE, model="openai/gpt-4o-mini", **definition):
    agents = {"a": {"prompt": "You write.", "model": model, "tools": [], **definition}}
    return estimate(draft, "Write.", {"agents": agents})


def test_the_range_holds_at_least_a_short_and_at_most_a_long_answer():
    found = figures()
    assert 60 < found["tokens"]["low"] < 200 < 1_200 < found["tokens"]["high"]
    assert Decimal(0) < Decimal(found["cost_usd"]["low"]) < Decimal(found["cost_usd"]["high"])
    assert found["requests"] == {"low": 1, "high": 1}


def test_a_limit_of_the_agent_narrows_the_range():
    assert figures(inference={"max_tokens": 100})["tokens"]["high"] < 200


def test_tools_and_more_steps_take_more():
    assert figures(tools=["search"])["tokens"]["high"] > 4 * figures()["tokens"]["high"] / 2
    assert figures(tools=["search"])["requests"]["high"] == 4
    assert figures(TWO)["tokens"]["low"] > 2 * figures()["tokens"]["low"]


def test_a_model_without_a_price_is_named_and_there_is_no_sum():
    found = figures(model="ollama/gpt-oss")
    assert (found["cost_usd"], found["unpriced"]) == (None, ["ollama/gpt-oss"])
    assert "not known: no price for ollama/gpt-oss" in cost_text(found)


def test_what_costs_nothing_costs_nothing():
    assert Decimal(figures(model="offline/extract")["cost_usd"]["high"]) == 0
