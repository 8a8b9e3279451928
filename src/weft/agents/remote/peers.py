"""Remote agents that were reached: their cards, kept for as long as they say, and a client for each."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
from a2a.client import Client, ClientConfig
from a2a.client.card_resolver import parse_agent_card
from a2a.client.client_factory import ClientFactory
from a2a.types import a2a_pb2
from a2a.utils.constants import AGENT_CARD_WELL_KNOWN_PATH, TransportProtocol

from weft.agents.remote.bridge import Bridge
from weft.core.canonical import digest
from weft.core.errors import ProviderError, WeftError
from weft.net.egress import EgressPolicy, check_url
from weft.net.transport import EgressTransport
from weft.tools.port import ToolContext

_LEAST_S, _USUAL_S, _MOST_S = 5, 300, 3_600
_AGE = re.compile(r"max-age=(\d{1,9})")
_READ_S = 60.0
"""Silence on a stream after which it is taken for dead: servers say something every few seconds."""
_MOST = 256
_SPOKEN = (TransportProtocol.JSONRPC.value, TransportProtocol.HTTP_JSON.value)


@dataclass(slots=True)
class Peer:
    """A remote agent: `url` is what the workflow says, `card` what it says of itself."""

    url: str
    card: a2a_pb2.AgentCard
    client: Client
    until: int
    tag: str = ""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def extensions(self) -> frozenset[str]:
        """The extensions of the protocol that it declares."""
        return frozenset(one.uri for one in self.card.capabilities.extensions)


class Peers:
    """Reaches remote agents. gRPC is not spoken here: its connections cannot be held to the egress policy."""

    def __init__(self, policy: EgressPolicy) -> None:
        self._policy = policy
        self._transport = EgressTransport(policy)
        self._known: dict[str, Peer] = {}

    async def reach(self, url: str, headers: Mapping[str, str], around: ToolContext) -> Peer:
        """The agent whose card is at `url`, asked with `headers`.

        Raises:
            WeftError: its card cannot be had, or it speaks nothing that is spoken here.
        """
        key = digest([url, dict(headers)])
        known, now = self._known.get(key), around.clock.micros()
        if known is not None and now < known.until:
            return known
        asked = {**headers, **({"if-none-match": known.tag} if known is not None and known.tag else {})}
        answer = await around.http.request("GET", card_url(url), headers=asked)
        until = now + _seconds(answer.headers.get("cache-control", "")) * 1_000_000
        if known is not None and answer.status == 304:
            known.until = until
            return known
        card = self._card(url, answer.raise_for_status().json())
        if len(self._known) >= _MOST:
            self._known.clear()
        peer = Peer(url, card, self._client(url, card, headers), until, answer.headers.get("etag", ""), headers)
        self._known[key] = peer
        return peer

    async def aclose(self) -> None:
        """Close every connection."""
        self._known.clear()
        await self._transport.aclose()

    def _card(self, url: str, body: Any) -> a2a_pb2.AgentCard:
        try:
            card = parse_agent_card(body)
            for interface in card.supported_interfaces:
                if interface.protocol_binding in _SPOKEN:
                    check_url(interface.url, self._policy)
        except WeftError:
            raise
        except Exception as error:  # a card comes from elsewhere, and its reader has no family of errors
            raise ProviderError(f"what is at {url} is no agent card", fix="give the address of an A2A agent") from error
        return card

    def _client(self, url: str, card: a2a_pb2.AgentCard, headers: Mapping[str, str]) -> Client:
        origin = check_url(url, self._policy).origin
        http = httpx.AsyncClient(
            transport=Bridge(self._policy, self._transport, origin, headers),
            trust_env=False,
            follow_redirects=False,
            timeout=httpx.Timeout(_READ_S, connect=self._policy.connect_timeout_s),
        )
        uris = ",".join(one.uri for one in card.capabilities.extensions if one.uri.startswith("urn:weft:"))
        if uris:
            http.headers["A2A-Extensions"] = uris
        config = ClientConfig(streaming=True, httpx_client=http, supported_protocol_bindings=list(_SPOKEN))
        try:
            return ClientFactory(config).create(card)
        except ValueError as error:
            raise ProviderError(
                f"the agent at {url} speaks neither JSON-RPC nor REST", fix="use an agent that does"
            ) from error


def card_url(url: str) -> str:
    """Where the card of the agent at `url` is: there itself when it is a file, or at its well-known place below."""
    return url if url.endswith(".json") else url.rstrip("/") + AGENT_CARD_WELL_KNOWN_PATH


def _seconds(cache_control: str) -> int:
    found = _AGE.search(cache_control)
    return min(max(int(found[1]), _LEAST_S), _MOST_S) if found else _USUAL_S
