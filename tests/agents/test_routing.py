"""Routing: an agent picks one of several chains; its choice is checked, reviewed and followed."""

from __future__ import annotations

import pytest

from tests.agents.cast import Cast, stage
from weft.core.errors import InputError

DESK = """
type: routing
config:
  router: {agent: router, input: "Where does {{ topic }} go?", max_retries: 1}
  routes:
    sales: {then: [{agent: seller, input: "Sell {{ topic }} ({{ router.chosen_route }})"}]}
    tech:
      then:
        - {agent: fixer}
        - {agent: fixer, input: "Again: {{ steps[0].response }} / {{ last_response }}"}
"""
REVIEWED = DESK.replace("max_retries: 1}", 'max_retries: 1, review_router: {type: hitl, prompt: "Right?"}}')
AGENTS = "router seller fixer"


async def test_the_chosen_route_is_taken_and_its_steps_see_the_choice(tmp_path):
    cast = Cast(router='{"route": "sales"}', seller="sold")
    async with stage(tmp_path, cast, DESK, AGENTS) as s:
        result = await s.run()
        assert s.steps() == ["/decide/router", "/route/sales/step[0]"]
    assert result.outputs["response"] == "sold"
    assert cast.prompts("router")[0].startswith("Where does ships go?")
    assert '{"route": "<name>"}' in cast.prompts("router")[0]
    assert cast.prompts("seller") == ["Sell ships (sales)"]


async def test_a_route_is_a_chain_of_its_own(tmp_path):
    cast = Cast(router='{"route": "tech"}', fixer=["one", "two"])
    async with stage(tmp_path, cast, DESK, AGENTS) as s:
        assert (await s.run()).outputs["response"] == "two"
    assert cast.prompts("fixer") == ["Where does ships go?", "Again: one / one"]


@pytest.mark.parametrize("first", ["no idea", '{"route": "garden"}'])
async def test_a_malformed_or_unknown_route_is_asked_for_again(tmp_path, first):
    cast = Cast(router=[first, '```json\n{"route": "SALES"}\n```'], seller="sold")
    async with stage(tmp_path, cast, DESK, AGENTS) as s:
        assert (await s.run()).status == "completed"
    assert "cannot be used" in cast.prompts("router")[1]


async def test_after_max_retries_the_run_fails(tmp_path):
    cast = Cast(router="no idea")
    async with stage(tmp_path, cast, DESK, AGENTS) as s:
        result = await s.run()
    assert (result.error.code, len(cast.heard["router"])) == ("provider", 2)


async def test_the_default_route_is_taken_when_no_choice_can_be_used(tmp_path):
    cast = Cast(router="no idea", seller="sold")
    async with stage(tmp_path, cast, DESK + "  default: sales\n", AGENTS) as s:
        assert (await s.run()).outputs["response"] == "sold"


@pytest.mark.parametrize(
    ("answer", "path"),
    [
        ("approved", "/route/sales/step[0]"),
        ("Route: TECH", "/route/tech/step[1]"),
        ("route:sales", "/route/sales/step[0]"),
    ],
)
@pytest.mark.slow
async def test_a_review_approves_or_names_another_route(tmp_path, answer, path):
    cast = Cast(router='{"route": "sales"}', seller="sold", fixer="mended")
    async with stage(tmp_path, cast, REVIEWED, AGENTS) as s:
        waiting = await s.run()
        assert waiting.waits[0]["path"] == "/review"
        assert (await s.answer(answer)).status == "completed"
        assert s.steps()[-1] == path


async def test_a_review_can_say_nothing_else(tmp_path):
    cast = Cast(router='{"route": "sales"}', seller="sold")
    async with stage(tmp_path, cast, REVIEWED, AGENTS) as s:
        await s.run()
        with pytest.raises(InputError):
            await s.answer("route:garden")
        assert (await s.answer("approved")).status == "completed"


async def test_a_gate_may_stand_in_a_route(tmp_path):
    asking = DESK.replace(
        "- {agent: fixer}\n", '- {type: hitl, prompt: "Sure?", context_display: "{{ router.response }}"}\n'
    )
    asking = asking.replace("Again: {{ steps[0].response }}", "Again: {{ hitl_response }}")
    cast = Cast(router='{"route": "tech"}', fixer="mended")
    async with stage(tmp_path, cast, asking, AGENTS) as s:
        await s.run()
        assert s.events("gate.opened")[0].data["show"] == '{"route": "tech"}'
        assert (await s.answer("go on")).outputs["response"] == "mended"
    assert cast.prompts("fixer") == ["Again: go on / go on"]
