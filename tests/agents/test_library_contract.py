"""What the agents rely on in Pydantic AI beyond its public surface: an upgrade that moves it fails here, and says where."""

from __future__ import annotations

import ast
import inspect
import textwrap

import pytest
from pydantic_ai.capabilities.abstract import leaf_capabilities
from pydantic_ai.durable_exec import JSON_CODEC, BaseDurabilityCapability, ModelRequestParams, ToolsetCallToolParams
from pydantic_ai.messages import ModelResponse, TextPart, ToolCallPart
from pydantic_ai.models.function import FunctionModel
from pydantic_ai.usage import RequestUsage

from weft.agents.builder import AgentBuilder
from weft.agents.durability import JournalDurability, _lean
from weft.core.canonical import dumps, loads
from weft.tools.function import function_tool
from weft.tools.threads import Threads


def double(n: int) -> int:
    """Twice n."""
    return 2 * n


def built():
    def answer(messages, info):
        return ModelResponse(parts=[TextPart("done")])

    builder = AgentBuilder(lambda _: FunctionModel(answer), lambda step: None)
    tools = {"double": function_tool(double, name="double", threads=Threads())}
    return builder.build("a", {"model": "offline/extract"}, tools, stream=None)


@pytest.mark.parametrize(
    "name",
    [
        "_bind_to_agent",
        "_register_toolsets",
        "_bind_model_operations",
        "_model_request_operation",
        "_durable_run_context",
        "get_durable_operation_backend",
        "get_default_run_id",
        "get_run_clock",
    ],
)
def test_the_hooks_that_are_overridden_or_called_are_there(name):
    assert callable(getattr(BaseDurabilityCapability, name))


@pytest.mark.parametrize("name", ["before_model_request", "prepare_model_request"])
def test_the_hooks_that_are_left_out_only_look_for_a_model_that_a_hook_asked_for(name):
    source = textwrap.dedent(inspect.getsource(getattr(BaseDurabilityCapability, name)))
    (method,) = ast.parse(source).body
    _doc, *body = method.body
    assert [ast.unparse(line) for line in body] == ["return await self._ensure_durable_model(ctx, request_context)"]
    assert not JournalDurability._has_prepare_model_request.fget(built().root_capability.capabilities[0])


def test_an_agent_has_our_capability_alone_and_its_tools_in_one_set():
    agent = built()
    (own,) = leaf_capabilities(agent.root_capability)
    assert isinstance(own, JournalDurability)
    assert own is JournalDurability.from_agent(agent)
    assert len(agent.toolsets) == 1
    assert list(own._models_by_id) == ["default"]
    assert own._bound_model_operations is not None


def test_units_carry_what_a_step_is_named_after():
    assert {"run_context", "messages", "model_settings", "model_request_parameters"} <= set(
        inspect.signature(ModelRequestParams).parameters
    )
    assert {"name", "tool_args", "ctx"} <= set(inspect.signature(ToolsetCallToolParams).parameters)


def test_a_lean_response_comes_back_whole():
    response = ModelResponse(
        parts=[
            ToolCallPart("x", {"a": None, "b": {"c": None, "l": [None]}}),
            ToolCallPart("y", None),
            TextPart("t", provider_details={"z": None}),
        ],
        usage=RequestUsage(input_tokens=3, details={"k": 0}),
        provider_details={"p": None},
        metadata={"o": None},
    )
    assert JSON_CODEC.load(ModelResponse, loads(dumps(_lean(response)))) == response
