"""Errors: what client libraries raise, as Weft errors that say whether to wait, to try again or to mend something."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from pydantic import ValidationError
from pydantic_ai.exceptions import (
    ContentFilterError,
    ModelAPIError,
    ModelConnectionError,
    ModelContextWindowExceededError,
    ModelHTTPError,
    ModelNotFoundError,
    ModelQuotaExceededError,
    ModelRequestTimeout,
    ModelTimeoutError,
    UnexpectedModelBehavior,
    UserError,
)
from pydantic_ai.messages import ModelResponse, TextPart, ThinkingPart

from weft.core.errors import (
    AuthError,
    ProviderError,
    RateLimitError,
    StepTimeoutError,
    TransientError,
    UnsupportedError,
    WeftError,
)
from weft.models.ref import ModelRef
from weft.models.registry import OFFLINE_HINT, entry
from weft.telemetry.redact import Redactor

MAX_MESSAGE = 500
"""Characters that are kept of what a provider says."""
MAX_WAIT = 3_600.0
"""Seconds; a longer wish to wait is cut to this."""

_OTHER_WORDS = "ask in other words, or choose another model"
LATER = "try again later; runtime.failure_policy says how often that is done by itself"

_TIMEOUT_NAMES = frozenset({"ConnectTimeout", "ReadTimeout", "WriteTimeout", "PoolTimeout", "TimeoutError"})
_TIMEOUT_NAMES |= {"ReadTimeoutError", "ConnectTimeoutError", "APITimeoutError"}
_CREDENTIALS = frozenset({"NoCredentialsError", "PartialCredentialsError", "TokenRetrievalError", "SSOTokenLoadError"})
_CREDENTIALS |= {"UnauthorizedSSOTokenError", "CredentialRetrievalError"}
_CONNECTION_NAMES = frozenset(
    {
        "APIConnectionError",
        "ConnectionClosedError",
        "EndpointConnectionError",
        "EventStreamError",
        "HTTPClientError",
        "ResponseStreamingError",
        "IncompleteReadError",
        "ProxyConnectionError",
        "ChecksumMismatch",
        "InvalidHeadersLength",
        "InvalidPayloadLength",
    }
)
_HTTP = frozenset({"httpx", "httpx2", "httpcore", "httpcore2"})
_NONSENSE = (ModelAPIError, UnexpectedModelBehavior, ValidationError, json.JSONDecodeError, UnicodeDecodeError)
_TRANSIENT_STATUS = frozenset({408, 409, 425})
_SPAN = re.compile(r"(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+(?:\.\d+)?)s)?(?:(\d+(?:\.\d+)?)ms)?")


def translate(error: Exception, ref: ModelRef, *, secrets: Iterable[str] = (), streaming: bool = False) -> WeftError:
    """`error`, raised while `ref` was asked, as a Weft error.

    `secrets` are taken out of the message, and so is whatever looks like a key. While an answer is `streaming`, one that
    cannot be read to its end is transient: the next attempt may get it whole.
    """
    found = recognise(error, ref, secrets=secrets, streaming=streaming)
    if found is not None:
        return found
    what = f"{type(error).__name__}: {error}"
    fix = "Read what its client says; --model and --provider try another one."
    return _clean(ProviderError(f"{ref.id} could not be asked: {_bounded(what)}", fix=fix, model=ref.id), secrets)


def recognise(
    error: Exception, ref: ModelRef, *, secrets: Iterable[str] = (), streaming: bool = False
) -> WeftError | None:
    """Like `translate`, but None for an error that no model, client or connection raises."""
    causes = list(_causes(error))
    for one in causes:
        # Ours under a client's own: the limit on the size of an answer.
        if isinstance(one, WeftError):
            return one
        # What a proxy sends that lost the server behind it; a client calls it unreadable.
        if isinstance(one, json.JSONDecodeError) and not one.doc.strip():
            return _empty(ref)
    for one in causes:
        if found := _known(one, ref, streaming=streaming):
            return _clean(found, secrets)
    return None


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error, the members of a group, and what they were raised from."""
    seen: list[BaseException] = [error]
    for one in seen:
        yield one
        inner = [*(one.exceptions if isinstance(one, BaseExceptionGroup) else ()), one.__cause__]
        seen.extend(cause for cause in inner if cause is not None and cause not in seen and len(seen) < 20)


def _known(  # noqa: PLR0911 -- one row a kind of error, as in a table
    error: BaseException, ref: ModelRef, *, streaming: bool
) -> WeftError | None:
    name = type(error).__name__
    if isinstance(error, ModelTimeoutError | ModelRequestTimeout | TimeoutError) or name in _TIMEOUT_NAMES:
        return StepTimeoutError(
            f"{ref.id} did not answer in time", fix="raise the step's timeout, or try again later", model=ref.id
        )
    if name in _CREDENTIALS:
        return _auth(ref, str(error))
    if isinstance(error, ModelHTTPError):
        return _status(error, ref)
    if isinstance(error, ModelConnectionError | OSError) or name in _CONNECTION_NAMES or _package(error) in _HTTP:
        return TransientError(
            f"the connection to {ref.id} broke: {_bounded(error)}", fix=f"check the base URL; {LATER}", model=ref.id
        )
    if isinstance(error, ContentFilterError):
        return ProviderError(f"{ref.id} withheld its answer: {_bounded(error.message)}", fix=_OTHER_WORDS, model=ref.id)
    if isinstance(error, _NONSENSE):
        return _unreadable(error, ref, streaming=streaming)
    if isinstance(error, UserError):
        return UnsupportedError(f"{ref.id} cannot do what is asked: {_bounded(error)}", model=ref.id)
    return None


def _package(error: BaseException) -> str:
    return type(error).__module__.partition(".")[0]


def _unreadable(error: BaseException, ref: ModelRef, *, streaming: bool) -> WeftError:
    if streaming:
        return TransientError(f"the answer of {ref.id} broke off: {_bounded(error)}", fix=LATER, model=ref.id)
    return ProviderError(
        f"the answer of {ref.id} cannot be read: {_bounded(error)}",
        fix="check that the address is that of a model server and that it speaks this provider's protocol",
        model=ref.id,
    )


def _status(error: ModelHTTPError, ref: ModelRef) -> WeftError:
    status, said = error.status_code, _said(error)
    if isinstance(error, ModelQuotaExceededError):
        return ProviderError(
            f"{ref.id} refuses: the account's quota or credit is used up ({status}): {said}",
            fix="check the plan and the billing of the account",
            model=ref.id,
        )
    if status == 429:
        wait = error.retry_after if error.retry_after is not None else retry_after(error.headers or {})
        wait = None if wait is None else min(wait, MAX_WAIT)
        message = f"{ref.id} asks to slow down (429): {said}"
        fix = "lower runtime.max_parallel, or ask the provider for a higher quota"
        return RateLimitError(message, retry_after=wait, fix=fix, model=ref.id)
    if status >= 500 or status in _TRANSIENT_STATUS:
        wait = None if error.retry_after is None else min(error.retry_after, MAX_WAIT)
        return TransientError(f"{ref.id} failed ({status}): {said}", retry_after=wait, fix=LATER, model=ref.id)
    if status in (401, 403):
        return _auth(ref, f"({status}) {said}")
    fix = "read what the provider says; --model and --provider try another one"
    if isinstance(error, ModelContextWindowExceededError):
        fix = "give the step less text, or choose a model with a larger context"
    elif isinstance(error, ModelNotFoundError) or status == 404:
        fix = f"check the model's name {ref.name!r} and the base URL"
    return ProviderError(f"{ref.id} refuses the request ({status}): {said}", fix=fix, model=ref.id)


def _auth(ref: ModelRef, said: str) -> AuthError:
    names = " or ".join(entry(ref).keys) or "the credentials"
    return AuthError(
        f"{ref.id} does not accept the credentials: {_bounded(said)}",
        fix=f"check {names}, {OFFLINE_HINT}",
        model=ref.id,
    )


def _said(error: ModelAPIError) -> str:
    """The provider's own message, out of the shapes that error bodies have."""
    return _bounded(_message(error.body) or (error.message if error.body is None else error.body))


def _message(body: Any) -> str:
    for _ in range(4):
        if isinstance(body, list) and body:
            body = body[0]
        if isinstance(body, str):
            return body
        if not isinstance(body, Mapping):
            return ""
        message = body.get("message") or body.get("Message") or body.get("detail")
        if isinstance(message, str):
            return message
        body = body.get("error") or body.get("Error")
    return ""


def _bounded(said: Any) -> str:
    text = " ".join(str(said).split()) or type(said).__name__
    return text if len(text) <= MAX_MESSAGE else text[: MAX_MESSAGE - 1] + "…"


def _clean(error: WeftError, secrets: Iterable[str]) -> WeftError:
    error.message = Redactor(secrets).text(error.message)
    error.args = (error.message,)
    return error


def retry_after(headers: Mapping[str, str], *, now: datetime | None = None) -> float | None:
    """Seconds to wait by the headers of an answer: ``Retry-After`` or the resets of the limits that are used up.

    Understood are seconds, HTTP dates, RFC 3339 times, epoch seconds and spans such as ``6m0s``.
    """
    at = now or datetime.now(UTC)
    lower = {name.lower(): value for name, value in headers.items()}
    if (value := lower.get("retry-after")) is not None:
        return _wait(value, at)
    resets = {name: value for name, value in lower.items() if "ratelimit" in name and "reset" in name}
    spent = [
        value for name, value in resets.items() if lower.get(name.replace("reset", "remaining"), "").strip() == "0"
    ]
    waits = [wait for value in spent or resets.values() if (wait := _wait(value, at)) is not None]
    return max(waits, default=None)


def _wait(value: str, now: datetime) -> float | None:
    text = value.strip()
    span = _SPAN.fullmatch(text)
    if span and any(span.groups()):
        hours, minutes, seconds, millis = (float(group or 0) for group in span.groups())
        return min(hours * 3600 + minutes * 60 + seconds + millis / 1000, MAX_WAIT)
    until = _moment(text, now)
    return None if until is None else min(max(until, 0.0), MAX_WAIT)


def _moment(text: str, now: datetime) -> float | None:
    """Seconds from `now` to a number of seconds, an epoch time, an RFC 3339 time or an HTTP date."""
    if re.fullmatch(r"\d{1,12}(?:\.\d{1,9})?", text):
        number = float(text)
        return number - now.timestamp() if number > 1e9 else number
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            moment = read(text)
        except (ValueError, TypeError):
            continue
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - now.timestamp()
    return None


def check_answer(response: ModelResponse, ref: ModelRef) -> ModelResponse:
    """Refuse an answer that broke off or holds nothing.

    Raises:
        TransientError: it broke off, or holds nothing though nothing kept the model from answering.
        ProviderError: it was withheld by a filter.
    """
    if response.state == "incomplete":
        raise TransientError(f"the answer of {ref.id} broke off", fix=LATER, model=ref.id)
    if any(not isinstance(part, TextPart | ThinkingPart) or part.content.strip() for part in response.parts):
        return response
    if response.finish_reason == "content_filter":
        raise ProviderError(f"{ref.id} withheld its answer (content filter)", fix=_OTHER_WORDS, model=ref.id)
    if response.finish_reason == "length":
        raise ProviderError(
            f"{ref.id} reached its token limit before it said anything", fix="raise max_tokens", model=ref.id
        )
    raise _empty(ref)


def _empty(ref: ModelRef) -> TransientError:
    return TransientError(f"{ref.id} gave an empty answer", fix=LATER, model=ref.id)
