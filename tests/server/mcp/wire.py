"""The protocol by hand, for what its client hides: sessions, streams that break off, state that is carried between calls."""

import itertools
import json

import httpx2

ACCEPT = {"accept": "application/json, text/event-stream", "content-type": "application/json"}
NEW = "2026-07-28"
_NUMBERS = itertools.count(1)


def message(method, params, number=None):
    return {"jsonrpc": "2.0", "id": number or next(_NUMBERS), "method": method, "params": params}


def read(text):
    return [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: ") and line[6:].strip()]


class Session:
    """A session of the handshake era."""

    def __init__(self, url, **headers):
        self.url = f"{url}/mcp"
        self.headers = ACCEPT | headers
        hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "hand", "version": "1"}}
        response = httpx2.post(self.url, json=message("initialize", hello), headers=self.headers, timeout=60)
        assert response.status_code == 200, response.text
        self.headers |= {"mcp-session-id": response.headers["mcp-session-id"], "mcp-protocol-version": "2025-11-25"}
        ready = {"jsonrpc": "2.0", "method": "notifications/initialized"}
        httpx2.post(self.url, json=ready, headers=self.headers, timeout=60)

    def call(self, name, arguments, number=None, **headers):
        body = message("tools/call", {"name": name, "arguments": arguments}, number)
        return httpx2.post(self.url, json=body, headers=self.headers | headers, timeout=60)

    def stream(self, name, arguments, number=None):
        body = message("tools/call", {"name": name, "arguments": arguments}, number)
        return httpx2.stream("POST", self.url, json=body, headers=self.headers, timeout=60)


def single(url, name, arguments, *, forms=True, headers=None, **params):
    """One call of the stateless era; its result or its error."""
    about = {
        "io.modelcontextprotocol/protocolVersion": NEW,
        "io.modelcontextprotocol/clientInfo": {"name": "hand", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {"elicitation": {}} if forms else {},
    }
    body = message("tools/call", {"name": name, "arguments": arguments, "_meta": about, **params})
    named = {"mcp-protocol-version": NEW, "mcp-method": "tools/call", "mcp-name": name}
    response = httpx2.post(f"{url}/mcp", json=body, headers=ACCEPT | named | (headers or {}), timeout=60)
    kind = response.headers.get("content-type", "")
    return read(response.text)[-1] if kind.startswith("text/event-stream") else response.json()
