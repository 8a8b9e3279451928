"""Errors in OpenAI's form, with our code: ``{"error": {"message", "type", "param", "code", "weft"}}``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from fastapi.responses import JSONResponse, Response

from weft.core.errors import WeftError
from weft.server.problems import status_of
from weft.server.wording import said_over

_STATUS: Mapping[str, int] = {"spec": 400, "unsupported": 400, "input": 400, "template": 400, "limit": 400}
"""Where OpenAI's status of a code is another one than that of the service's table."""
_TYPE: Mapping[int, str] = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "insufficient_quota",
    403: "permission_error",
    404: "invalid_request_error",
    409: "conflict_error",
    413: "invalid_request_error",
    429: "rate_limit_error",
}


class Json(JSONResponse):
    """JSON that can always be sent: what UTF-8 has no form for becomes a question mark."""

    def render(self, content: Any) -> bytes:
        """The body."""
        return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")


def status(error: WeftError) -> int:
    """The HTTP status of an error here."""
    return _STATUS.get(error.code, status_of(error))


def said(error: WeftError) -> str:
    """What happened, and what to do about it: clients show a message and nothing else."""
    return error.message + (f" ({_fix(error)})" if error.fix else "")


def _fix(error: WeftError) -> str:
    return said_over("openai", error.fix)


def body(error: WeftError) -> dict[str, Any]:
    """An error as OpenAI's clients read it."""
    own = error.as_json() | ({"fix": _fix(error)} if error.fix else {})
    param = error.ids.get("param") or next((one.get("pointer", "") for one in _problems(error)), "") or None
    more = {name: own[name] for name in ("fix", "place", "ids") if name in own}
    kind = _TYPE.get(status(error), "server_error")
    return {"error": {"message": said(error), "type": kind, "param": param, "code": error.code, "weft": more}}


def answer(error: WeftError, *, again: bool = True) -> Response:
    """An error as a response. Where asking `again` would find the same, the official client is told not to."""
    headers: dict[str, str] = {}
    if not again or status(error) == 409:
        headers["x-should-retry"] = "false"
    after = error.ids.get("retry_after_s")
    if after is not None:
        headers["Retry-After"] = str(max(1, round(float(after))))
    if error.code == "auth":
        headers["WWW-Authenticate"] = 'Bearer realm="weft"'
    return Json(body(error), status(error), headers=headers)


def _problems(error: WeftError) -> list[Mapping[str, Any]]:
    found = error.ids.get("problems")
    return [one for one in found if isinstance(one, Mapping)] if isinstance(found, list) else []
