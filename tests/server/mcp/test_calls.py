"""Workflows and agents as tools, called by the protocol's own client in both eras over HTTP."""

import asyncio
import contextlib
import itertools
from functools import partial

import anyio
import jsonschema
import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError
from mcp_types import ElicitResult

pytestmark = pytest.mark.slow
ERAS = pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])


def client(served, mode, answers=None, **rest):
    """A client whose person gives these answers, one after the other; without any it shows no forms."""
    left = list(answers or [])

    async def answer(_, params):
        given = left.pop(0)
        return given(params) if callable(given) else ElicitResult(action="accept", content=given)

    return Client(f"{served.url}/mcp", mode=mode, elicitation_callback=answer if answers is not None else None, **rest)


@ERAS
async def test_each_workflow_and_agent_is_a_tool_with_its_schemas(shared, mode):
    async with client(shared, mode) as one:
        tools = {tool.name: tool for tool in (await one.list_tools()).tools}
    assert {"brief", "brief__reader", "release", "weft_start", "weft_result", "weft_answer", "weft_cancel"} <= set(
        tools
    )
    brief = tools["brief"]
    assert brief.input_schema["required"] == ["text"]
    assert brief.title == "brief"
    assert brief.description.startswith("Says what a text says.")
    assert brief.annotations.destructive_hint is False
    assert brief.output_schema["required"] == ["run_id", "status"]
    assert tools["brief__reader"].input_schema["required"] == ["message"]
    assert tools["weft_result"].annotations.read_only_hint is True
    assert tools["weft_cancel"].annotations.destructive_hint is True


@ERAS
async def test_a_call_tells_how_it_goes_and_returns_text_and_data(shared, mode):
    told = []

    async def tell(progress, total, message):
        told.append((progress, message))

    async with client(shared, mode) as one:
        tool = next(tool for tool in (await one.list_tools()).tools if tool.name == "brief")
        result = await one.call_tool("brief", {"text": "Weft is durable."}, progress_callback=tell)
    assert not result.is_error
    jsonschema.validate(result.structured_content, tool.output_schema)
    assert result.structured_content["status"] == "completed"
    assert result.content[0].text == result.structured_content["response"]
    assert shared.run(result.structured_content["run_id"])["status"] == "completed"
    numbers = [number for number, _ in told]
    assert numbers == sorted(set(numbers))
    assert any("agent reader" in message for _, message in told)


@ERAS
async def test_an_error_is_a_result_that_says_what_to_do(shared, mode):
    async with client(shared, mode) as one:
        result = await one.call_tool("brief", {})
        assert result.is_error
        told = "input: the required input 'text' is missing\nWhat to do: give the argument `text`"
        assert result.content[0].text.startswith(told)
        result = await one.call_tool("weft_result", {"run_id": "none", "more": 1})
        assert "the arguments do not fit: more" in result.content[0].text
        result = await one.call_tool("weft_result", {"run_id": "none"})
        assert result.content[0].text.startswith("not-found: there is no run 'none'")
        with pytest.raises(MCPError, match="there is no tool 'nothing'"):
            await one.call_tool("nothing", {})


@ERAS
async def test_a_gate_is_put_to_the_person_at_the_client(shared, mode):
    async with client(shared, mode, [{"choice": "send"}]) as one:
        result = await one.call_tool("release", {"note": "Weft asks people."})
    assert result.structured_content["status"] == "completed"
    async with client(shared, mode, [{"people": 4, "day": "Friday"}]) as one:
        result = await one.call_tool("booking", {})
    assert result.structured_content["status"] == "completed"


@ERAS
async def test_an_answer_that_does_not_fit_is_asked_for_again_and_told_why(shared, mode):
    seen = []

    def wrong(params):
        seen.append(params.message)
        return ElicitResult(action="accept", content={"people": 0, "day": "Friday"})

    def right(params):
        seen.append(params.message)
        return ElicitResult(action="accept", content={"people": 2, "day": "Friday"})

    async with client(shared, mode, [wrong, right]) as one:
        result = await one.call_tool("booking", {})
    assert result.structured_content["status"] == "completed"
    assert "do not fit the form" in seen[1]
    assert "do not fit" not in seen[0]


@ERAS
async def test_whoever_declines_a_form_has_decided_nothing(shared, mode):
    async with client(shared, mode, [lambda _: ElicitResult(action="decline")]) as one:
        result = await one.call_tool("release", {"note": "Later."})
        assert result.structured_content["status"] == "waiting"
        assert result.structured_content["gates"][0]["prompt"] == "Send it?"
        await one.call_tool("weft_cancel", {"run_id": result.structured_content["run_id"]})


@ERAS
async def test_a_client_without_forms_gets_a_handle_and_comes_back(shared, mode):
    async with client(shared, mode) as one:
        handle = await one.call_tool("release", {"note": "Weft asks people."})
        facts = handle.structured_content
        assert (handle.is_error, facts["status"]) == (False, "waiting")
        assert facts["link"] == f"{shared.url}/api/v1/runs/{facts['run_id']}"
        assert "weft_answer" in facts["next"]
        gate, run = facts["gates"][0], {"run_id": facts["run_id"]}
        assert gate["answer"]["properties"]["choice"]["enum"] == ["send", "reject"]
        listed = await one.call_tool("weft_status", {})
        assert facts["run_id"] in [row["run_id"] for row in listed.structured_content["runs"]]
        wrong = await one.call_tool("weft_answer", run | {"choice": "burn"})
        assert "none of the choices" in wrong.content[0].text
        assert not (await one.call_tool("weft_answer", run | {"choice": "send", "gate": gate["id"]})).is_error
        again = await one.call_tool("weft_answer", run | {"choice": "send", "gate": gate["id"]})
        assert not again.is_error
        other = await one.call_tool("weft_answer", run | {"choice": "reject", "gate": gate["id"]})
        assert other.content[0].text.startswith("conflict: it was decided already")
        result = await one.call_tool("weft_result", run | {"wait_s": 30})
        assert result.structured_content["status"] == "completed"


@ERAS
async def test_what_to_do_is_said_in_tools(shared, mode):
    async with client(shared, mode) as one:
        lost = await one.call_tool("weft_result", {"run_id": "nothing"})
        assert lost.content[0].text.endswith("What to do: `weft_status` shows the runs")


@ERAS
async def test_a_gate_of_another_run_is_not_there(shared, mode):
    async with client(shared, mode) as one:
        first = (await one.call_tool("release", {"note": "One."})).structured_content
        second = (await one.call_tool("release", {"note": "Two."})).structured_content
        forged = {"run_id": first["run_id"], "gate": second["gates"][0]["id"], "choice": "send"}
        result = await one.call_tool("weft_answer", forged)
        assert result.content[0].text.startswith("not-found: there is no gate")
        assert shared.run(second["run_id"])["status"] == "waiting"
        for run in (first, second):
            await one.call_tool("weft_cancel", {"run_id": run["run_id"]})


@ERAS
async def test_what_has_a_key_is_done_once(shared, mode):
    async with client(shared, mode) as one:
        asked = {"workflow": "brief", "inputs": {"text": "Once."}, "key": f"start-{mode}"}
        first = await one.call_tool("weft_start", asked)
        again = await one.call_tool("weft_start", asked)
        assert first.structured_content["run_id"] == again.structured_content["run_id"]
        other = await one.call_tool("weft_start", asked | {"inputs": {"text": "Twice."}})
        assert other.content[0].text.startswith("conflict: the key")
        meta = {"weft/key": f"call-{mode}"}
        first = await one.call_tool("brief", {"text": "Once."}, meta=meta)
        again = await one.call_tool("brief", {"text": "Once."}, meta=meta)
        assert first.structured_content["run_id"] == again.structured_content["run_id"]


@ERAS
async def test_a_cancelled_call_cancels_its_run(shared, mode):
    meta = {"weft/key": "cancelled"} if mode == "legacy" else {}
    before = shared.latest()
    async with client(shared, mode) as one:
        async with anyio.create_task_group() as calls:
            calls.start_soon(partial(one.call_tool, "slow", {}, meta=meta))
            while shared.latest() == before:
                await asyncio.sleep(0.05)
            calls.cancel_scope.cancel()
        # The client stays until then: one that leaves at once may take along the notice that it has not sent yet.
        await asyncio.to_thread(shared.wait_for, shared.latest(), "cancelled")


async def test_a_call_with_a_key_outlives_its_connection(shared):
    async with client(shared, "2026-07-28") as one:
        with anyio.move_on_after(1.5):
            await one.call_tool("slow", {"word": "kept"}, meta={"weft/key": "kept"})
        result = await one.call_tool("slow", {"word": "kept"}, meta={"weft/key": "kept"})
    assert result.structured_content["status"] == "completed"


@ERAS
async def test_clients_are_told_when_what_is_served_changes(served, mode):
    heard = asyncio.Event()

    async def hear(message):
        if "list_changed" in str(message):
            heard.set()

    async with client(served, mode, message_handler=hear) as one:
        await one.list_tools()

        async def listen():
            async with one.listen(tools_list_changed=True) as events:
                async for _ in events:
                    heard.set()

        task = asyncio.ensure_future(listen()) if mode != "legacy" else None
        # From when on somebody listens, nobody says: what changes before that is not told of.
        brief = (served.flows / "brief.yaml").read_text()
        async with asyncio.timeout(60):
            for number in itertools.count():
                name = f"more{number}"
                served.add(name, brief.replace("name: brief", f"name: {name}"))
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(heard.wait(), 3)
                    break
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        assert "more0" in [tool.name for tool in (await one.list_tools()).tools]
