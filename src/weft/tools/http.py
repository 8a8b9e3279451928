"""HTTP services as tools: the `http_executors` of the workflow language."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from urllib.parse import unquote

from weft.core.canonical import strict_loads
from weft.core.errors import InputError, PolicyError
from weft.net.egress import EgressPolicy, check_base_url, check_url
from weft.net.port import Response
from weft.tools.port import MAX_RESULT_BYTES, TIMEOUT_S, Effect, Json, ToolContext, ToolSpec

METHODS = ("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS")
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_REPEATABLE = _SAFE | {"PUT", "DELETE"}
_KEY = "idempotency-key"
_SHOWN = 20
_SCHEMA: Mapping[str, Json] = {
    "type": "object",
    "properties": {
        "method": {"type": "string", "enum": list(METHODS), "default": "GET"},
        "path": {
            "type": "string",
            "description": "Path below the base URL, with a query if needed.",
            "maxLength": 4096,
        },
        "json_data": {"description": "Body, sent as JSON."},
        "headers_override": {
            "type": ["object", "null"],
            "additionalProperties": {"type": "string"},
            "description": "Headers in addition to the usual ones, or instead of them.",
        },
    },
    "required": ["path"],
    "additionalProperties": False,
}


class HttpTool:
    """Requests below one base URL.

    Headers may hold ``${NAME}`` for secrets, which are filled in when a request is made. Methods that change something
    carry the call's idempotency key. Without a declared effect POST and PATCH are ``once``, the others ``idempotent``.

    Raises:
        InputError: the base URL is not one.
        PolicyError: it is denied.
    """

    def __init__(
        self,
        name: str,
        definition: Mapping[str, Json],
        *,
        policy: EgressPolicy,
        timeout_s: float = TIMEOUT_S,
        max_result_bytes: int = MAX_RESULT_BYTES,
    ) -> None:
        self._base = check_base_url(str(definition["base_url"]), policy)
        self._policy = policy
        self._headers: Mapping[str, Json] = definition.get("headers") or {}
        self._declared: Effect | None = definition.get("effect")
        self.spec = ToolSpec(
            name=name,
            description=_description(self._base, definition),
            input_schema=_SCHEMA,
            effect=self._declared or "once",
            timeout_s=timeout_s,
            max_result_bytes=max_result_bytes,
        )

    def effect_of(self, args: Mapping[str, Json]) -> Effect:
        """The declared effect, or that of the method."""
        if self._declared is not None:
            return self._declared
        return "idempotent" if args.get("method", "GET") in _REPEATABLE else "once"

    async def call(self, args: Mapping[str, Json], context: ToolContext) -> Json:
        """Make the request; returns ``status``, ``headers`` and ``body`` (JSON when it is JSON, else text)."""
        method = str(args.get("method", "GET"))
        headers = {name.lower(): context.secrets.expand(str(value)) for name, value in self._headers.items()}
        headers |= {name.lower(): value for name, value in (args.get("headers_override") or {}).items()}
        if method not in _SAFE:
            headers[_KEY] = context.key
        response = await context.http.request(
            method,
            self._address(str(args["path"])),
            headers=headers,
            json=args.get("json_data"),
            timeout_s=self.spec.timeout_s,
        )
        return {"status": response.status, "headers": dict(response.headers), "body": _body(response)}

    async def check(self, key: str, context: ToolContext) -> Json | None:  # noqa: ARG002 -- the port's
        """An HTTP service cannot be asked about a key.

        Raises:
            InputError: always.
        """
        raise InputError(
            f"the tool {self.spec.name!r} cannot say whether a request happened",
            fix="declare the effect idempotent (the service honours Idempotency-Key) or once",
        )

    def _address(self, path: str) -> str:
        if re.match(r"[A-Za-z][A-Za-z0-9+.-]*:|//|\\", path):
            raise InputError(f"{path[:200]!r} is not a path", fix=f"give a path below {self._base}, such as /items")
        # Servers decode once or twice before they resolve dots, so that is what is looked at.
        plain = unquote(unquote(path.partition("?")[0])).replace("\\", "/")
        if any(part.partition(";")[0] == ".." for part in plain.split("/")):
            raise PolicyError(f"the path {path[:200]!r} leaves the base URL", fix="give a path without `..`")
        target = check_url(f"{self._base}/{path.lstrip('/')}", self._policy)
        if target.origin != check_url(self._base, self._policy).origin:
            raise PolicyError(f"the path {path[:200]!r} leaves the base URL", fix="give a path below it")
        return target.url


def _body(response: Response) -> Json:
    kind = response.media_type
    if kind == "application/json" or kind.endswith("+json"):
        try:
            return strict_loads(response.body)
        except (ValueError, RecursionError):
            return response.text()
    if b"\0" in response.body[:8192]:
        return f"[{len(response.body)} bytes of {kind or 'binary data'}]"
    return response.text()


def _description(base: str, definition: Mapping[str, Json]) -> str:
    lines = [str(definition.get("description") or f"Makes requests to {base}."), f"Base URL: {base}"]
    for label, key in (("Authentication", "authentication_info"), ("Responses", "response_format")):
        if definition.get(key):
            lines.append(f"{label}: {definition[key]}")
    endpoints = definition.get("common_endpoints") or ()
    if endpoints:
        lines.append("Endpoints:")
    lines += [f"- {e.get('method', 'GET')} {e.get('path')}: {e.get('description', '')}" for e in endpoints[:_SHOWN]]
    examples = definition.get("examples") or ()
    if examples:
        lines.append("Examples:")
    for example in examples[:_SHOWN]:
        call = {key: example[key] for key in ("method", "path", "json_data") if key in example}
        lines.append(f"- {example.get('description', '')}: {json.dumps(call, ensure_ascii=False)}")
    return "\n".join(lines)
