"""Agent cards: what a client can reach here, how, and with which credential."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from a2a.types import a2a_pb2
from a2a.utils.constants import TransportProtocol
from a2a.utils.errors import UnsupportedOperationError

import weft
from weft.app.serving.library import Published
from weft.server.a2a.contexts import VERSION
from weft.server.a2a.extension import DESCRIPTION, URI
from weft.server.a2a.messages import INPUT_MODES, OUTPUT_MODES
from weft.server.a2a.signing import Signer
from weft.server.a2a.targets import Targets, tenant_of

RPC, REST = "/a2a", "/a2a/rest"
_SCHEME = "token"
_MAX_SKILLS = 500


@dataclass(frozen=True)
class Cards:
    """Makes cards. `url` is the address of the service, `guarded` whether callers show a token, `grpc` where gRPC is spoken.

    Where callers show a token, the public card says how to call and no more: what is served stands on the extended card.
    """

    targets: Targets
    url: str
    guarded: bool
    grpc: str = ""
    signer: Signer | None = None
    any_mode: bool = False

    def public(self) -> a2a_pb2.AgentCard:
        """The card of the service as a whole."""
        served = [] if self.guarded else self.targets.all(tenant="local")
        return self._whole(served)

    def extended(self, routed: str, *, tenant: str) -> a2a_pb2.AgentCard:
        """The card for those who may call: of everything, or of what the request was routed to.

        Raises:
            UnsupportedOperationError: the public card says it all.
            NotFoundError: nothing is served there.
        """
        if not self.guarded:
            raise UnsupportedOperationError(message="there is no extended card: the public one says it all")
        return self.of(routed, tenant=tenant) if routed else self._whole(self.targets.all(tenant=tenant))

    def of(self, routed: str, *, tenant: str) -> a2a_pb2.AgentCard:
        """The card of one workflow or agent.

        Raises:
            NotFoundError: nothing is served there.
        """
        one = self.targets.get(routed, tenant=tenant)
        card = self._card(one.name, one.description or f"The {one.kind} {one.name}.", [one], tenant_of(one.name))
        return self._signed(card)

    def _whole(self, served: list[Published]) -> a2a_pb2.AgentCard:
        names = ", ".join(one.name for one in served if not one.agent)
        about = f"Durable workflows of agents, tools and people{f': {names}' if names else ''}."
        return self._signed(self._card("weft", about[:2_000], served[:_MAX_SKILLS], ""))

    def _card(self, name: str, description: str, served: list[Published], tenant: str) -> a2a_pb2.AgentCard:
        card = a2a_pb2.AgentCard(
            name=name,
            description=description,
            version=_version(served),
            supported_interfaces=list(self._interfaces(tenant)),
            provider=a2a_pb2.AgentProvider(organization="Weft", url=self.url),
            capabilities=a2a_pb2.AgentCapabilities(
                streaming=True,
                push_notifications=True,
                extended_agent_card=self.guarded,
                extensions=[a2a_pb2.AgentExtension(uri=URI, description=DESCRIPTION, required=False)],
            ),
            default_input_modes=["*/*"] if self.any_mode else INPUT_MODES,
            default_output_modes=OUTPUT_MODES,
            skills=[_skill(one) for one in served] or [_GENERAL],
        )
        if self.guarded:
            scheme = a2a_pb2.SecurityScheme()
            scheme.http_auth_security_scheme.scheme = "Bearer"
            scheme.http_auth_security_scheme.description = "A token of this service."
            card.security_schemes[_SCHEME].CopyFrom(scheme)
            card.security_requirements.add().schemes[_SCHEME].CopyFrom(a2a_pb2.StringList())
        return card

    def _interfaces(self, tenant: str) -> Iterable[a2a_pb2.AgentInterface]:
        ways = [(TransportProtocol.JSONRPC, f"{self.url}{RPC}"), (TransportProtocol.HTTP_JSON, f"{self.url}{REST}")]
        if self.grpc:
            ways.append((TransportProtocol.GRPC, self.grpc))
        for binding, url in ways:
            yield a2a_pb2.AgentInterface(
                url=url, protocol_binding=binding.value, protocol_version=VERSION, tenant=tenant
            )

    def _signed(self, card: a2a_pb2.AgentCard) -> a2a_pb2.AgentCard:
        return card if self.signer is None else self.signer.sign(card)


def changed_at(served: Iterable[Published]) -> int:
    """When the latest of what is served last changed, in microseconds."""
    return max((one.changed_at for one in served), default=0)


_GENERAL = a2a_pb2.AgentSkill(
    id="weft", name="Workflows", description="Runs the workflows and agents that are served here.", tags=["workflow"]
)


def _version(served: list[Published]) -> str:
    return f"{weft.__version__}+{served[0].version}" if len(served) == 1 and served[0].version else weft.__version__


def _skill(one: Published) -> a2a_pb2.AgentSkill:
    return a2a_pb2.AgentSkill(
        id=tenant_of(one.name),
        name=one.name,
        description=one.description or f"The {one.kind} {one.name}.",
        tags=[one.kind, *one.workflow.tags][:20],
        input_modes=INPUT_MODES,
        output_modes=OUTPUT_MODES,
    )
