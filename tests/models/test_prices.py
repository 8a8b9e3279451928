from __future__ import annotations

from decimal import Decimal

import pytest
from pydantic_ai.messages import ModelResponse, TextPart
from pydantic_ai.usage import RequestUsage

from weft.core.usage import Usage
from weft.models.prices import is_priced, price, usage_of
from weft.models.ref import OFFLINE, ModelRef

KNOWN = [
    "openai/gpt-4o-mini",
    "azure/gpt-4o",
    "anthropic/claude-sonnet-5",
    "google/gemini-2.5-flash",
    "bedrock/anthropic.claude-3-sonnet-20240229-v1:0",
    "bedrock/us.anthropic.claude-3-5-sonnet-20241022-v2:0",
]


@pytest.mark.parametrize("model_id", KNOWN)
def test_a_known_model_has_a_price_that_grows_with_use(model_id: str) -> None:
    ref = ModelRef.parse(model_id)
    assert is_priced(ref)
    small, large = (price(RequestUsage(input_tokens=n, output_tokens=n), ref) for n in (1_000, 2_000))
    assert small is not None
    assert large == 2 * small > 0


def test_the_price_is_the_list_price() -> None:
    usage = RequestUsage(input_tokens=1_000_000, output_tokens=1_000_000)
    assert price(usage, ModelRef.parse("openai/gpt-4o-mini")) == Decimal("0.75")


@pytest.mark.parametrize(
    "model_id", ["openai/my-finetune-of-nothing", "ollama/llama3", "acme/x", "azure/my-deployment"]
)
def test_an_unknown_model_has_no_price_rather_than_none_to_pay(model_id: str) -> None:
    ref = ModelRef.parse(model_id)
    assert not is_priced(ref)
    assert price(RequestUsage(input_tokens=10, output_tokens=10), ref) is None
    response = ModelResponse(parts=[TextPart("x")], usage=RequestUsage(input_tokens=3, output_tokens=2))
    assert usage_of(response, ref) == Usage(requests=1, input_tokens=3, output_tokens=2, unpriced=1)


def test_offline_costs_nothing_and_is_priced() -> None:
    response = ModelResponse(parts=[TextPart("x")], usage=RequestUsage(input_tokens=3, output_tokens=2))
    assert is_priced(OFFLINE)
    assert usage_of(response, OFFLINE) == Usage(requests=1, input_tokens=3, output_tokens=2)


def test_cached_tokens_are_counted_and_cheaper() -> None:
    ref = ModelRef.parse("openai/gpt-4o-mini")
    fresh = ModelResponse(parts=[], usage=RequestUsage(input_tokens=1000))
    cached = ModelResponse(parts=[], usage=RequestUsage(input_tokens=1000, cache_read_tokens=800))
    assert usage_of(cached, ref).cache_read_tokens == 800
    assert usage_of(cached, ref).cost < usage_of(fresh, ref).cost


def test_an_answer_without_usage_has_no_price() -> None:
    response = ModelResponse(parts=[TextPart("x")], usage=RequestUsage(unmeasured_requests=1))
    assert usage_of(response, ModelRef.parse("openai/gpt-4o-mini")).unpriced == 1


@pytest.mark.parametrize("model_id", KNOWN)
def test_usage_survives_the_journal(model_id: str) -> None:
    response = ModelResponse(parts=[], usage=RequestUsage(input_tokens=123, output_tokens=45))
    used = usage_of(response, ModelRef.parse(model_id))
    assert Usage.from_json(used.as_json()) == used
