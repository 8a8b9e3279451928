from __future__ import annotations

from datetime import UTC, datetime

import httpx2
import pytest
from pydantic_ai.exceptions import (
    ModelAPIError,
    ModelConnectionError,
    ModelHTTPError,
    ModelQuotaExceededError,
    UnexpectedModelBehavior,
    UserError,
)
from pydantic_ai.messages import ModelResponse, TextPart, ThinkingPart, ToolCallPart

from weft.core.errors import (
    AuthError,
    BudgetError,
    ProviderError,
    RateLimitError,
    StepTimeoutError,
    TransientError,
    UnsupportedError,
    WeftError,
)
from weft.core.masking import MASK
from weft.models.errors import MAX_WAIT, check_answer, recognise, retry_after, translate
from weft.models.ref import ModelRef

REF = ModelRef.parse("openai/gpt-4o")
NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)


class NoCredentialsError(Exception):
    """As botocore names it."""


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ModelHTTPError(418, "m", {"error": {"message": "teapot"}}), ProviderError),
        (ModelHTTPError(408, "m"), TransientError),
        (ModelHTTPError(529, "m"), TransientError),
        (ModelHTTPError.for_category(ModelQuotaExceededError, status_code=429, model_name="m"), ProviderError),
        (ModelConnectionError("m", "reset"), TransientError),
        (ModelAPIError("m", "Failed to decode response as JSON"), ProviderError),
        (UnexpectedModelBehavior("nonsense", '{"a": 1}'), ProviderError),
        (UserError("no such feature"), UnsupportedError),
        (httpx2.ReadTimeout("slow"), StepTimeoutError),
        (httpx2.ReadError("reset"), TransientError),
        (httpx2.RemoteProtocolError("peer closed"), TransientError),
        (ConnectionResetError("reset"), TransientError),
        (TimeoutError(), StepTimeoutError),
        (NoCredentialsError("Unable to locate credentials"), AuthError),
        (ExceptionGroup("all failed", [ValueError("x"), ModelHTTPError(401, "m")]), AuthError),
        (ZeroDivisionError("odd"), ProviderError),
    ],
)
def test_every_exception_has_its_class(error: Exception, expected: type[WeftError]) -> None:
    found = translate(error, REF)
    assert type(found) is expected
    assert "openai/gpt-4o" in found.message


def test_the_cause_speaks_when_the_error_itself_says_nothing() -> None:
    outer = RuntimeError("wrapped")
    outer.__cause__ = httpx2.ConnectTimeout("slow")
    assert isinstance(translate(outer, REF), StepTimeoutError)


def test_an_error_of_ours_passes_as_it_is() -> None:
    error = BudgetError("spent")
    assert translate(error, REF) is error


def test_what_no_client_raises_is_not_recognised() -> None:
    assert recognise(ZeroDivisionError("a bug of the reader"), REF) is None


@pytest.mark.parametrize(
    "said",
    [
        "Incorrect key sk-proj-abcdefgh12345678",
        "header Authorization: Bearer hunter2hunter2",
        "key AIzaSyA1234567890abcdefghijklmnop",
        "my-own-secret is not known",
    ],
)
def test_secrets_are_taken_out(said: str) -> None:
    found = translate(ModelHTTPError(401, "m", {"error": {"message": said}}), REF, secrets=["my-own-secret"])
    assert MASK in found.message
    assert not any(word in f"{found.as_json()}{found}" for word in ("abcdefgh", "hunter2", "my-own-secret"))


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "30"}, 30),
        ({"retry-after": "0.5"}, 0.5),
        ({"Retry-After": "Fri, 01 May 2026 12:01:00 GMT"}, 60),
        ({"Retry-After": "Fri, 01 May 2026 11:00:00 GMT"}, 0),
        ({"Retry-After": "99999999"}, MAX_WAIT),
        ({"Retry-After": "soon"}, None),
        ({"x-ratelimit-reset-requests": "6m0s"}, 360),
        ({"x-ratelimit-reset-tokens": "120ms"}, 0.12),
        (
            {
                "x-ratelimit-reset-requests": "1s",
                "x-ratelimit-remaining-requests": "59",
                "x-ratelimit-reset-tokens": "20s",
                "x-ratelimit-remaining-tokens": "0",
            },
            20,
        ),
        ({"anthropic-ratelimit-requests-reset": "2026-05-01T12:00:10Z"}, 10),
        ({"x-ratelimit-reset": str(int(NOW.timestamp()) + 5)}, 5),
        ({}, None),
    ],
)
def test_waits_are_read_in_every_form(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers, now=NOW) == pytest.approx(seconds)


def test_a_rate_limit_without_retry_after_uses_the_reset() -> None:
    error = ModelHTTPError(
        429, "m", headers={"x-ratelimit-reset-requests": "3s", "x-ratelimit-remaining-requests": "0"}
    )
    found = translate(error, REF)
    assert isinstance(found, RateLimitError)
    assert found.retry_after == 3


def test_an_unreadable_end_of_a_stream_is_worth_another_try() -> None:
    assert isinstance(translate(ModelAPIError("m", "Failed to decode"), REF, streaming=True), TransientError)


@pytest.mark.parametrize(
    ("response", "error"),
    [
        (ModelResponse(parts=[]), TransientError),
        (ModelResponse(parts=[TextPart(" \n")]), TransientError),
        (ModelResponse(parts=[ThinkingPart("")], finish_reason="length"), ProviderError),
        (ModelResponse(parts=[], finish_reason="content_filter"), ProviderError),
        (ModelResponse(parts=[TextPart("half")], state="incomplete"), TransientError),
    ],
)
def test_an_answer_without_content_is_refused(response: ModelResponse, error: type[WeftError]) -> None:
    with pytest.raises(error):
        check_answer(response, REF)


@pytest.mark.parametrize("part", [TextPart("x"), ToolCallPart("f", {})])
def test_an_answer_with_content_passes(part: TextPart | ToolCallPart) -> None:
    response = ModelResponse(parts=[part])
    assert check_answer(response, REF) is response
