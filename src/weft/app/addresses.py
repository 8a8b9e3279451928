"""Where model requests may go: the addresses that a workflow gives, held to the rules of the network before a run begins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from weft.agents.builder import model_ref
from weft.core.errors import Place, PolicyError, WeftError
from weft.models.ref import ModelRef
from weft.models.registry import declared_rules, redirected
from weft.net.egress import EgressPolicy, check_base_url, literal_address

_AWS = (".amazonaws.com", ".amazonaws.com.cn", ".api.aws")


def check_model_addresses(
    definitions: Mapping[str, Any], policy: EgressPolicy, *, chosen: str | None, environ: Mapping[str, str]
) -> None:
    """Refuse an agent whose model's address may not be asked.

    An address in a workflow is somebody else's word and is held to `policy`, apart from a local provider on this machine.
    `chosen` is the user's own (a flag, a setting) and may also lead to this machine or a private network; metadata
    services and the like are refused even so. What `environ` says is not looked at, for it is the machine's own; a provider's
    variable there goes over the workflow's address.

    Raises:
        InputError: it is not an address.
        PolicyError: it is denied.
    """
    for name, definition in (definitions.get("agents") or {}).items():
        if "a2a" in definition:
            continue
        ref = model_ref(definition)
        if ref.base_url is None or redirected(ref, environ) is not ref:
            continue
        try:
            check_base_url(ref.base_url, _rules(ref, policy, chosen))
            if ref.base_url != chosen:
                _demand_pinned(ref, ref.base_url)
        except WeftError as error:
            error.place = Place(pointer=f"/agents/{name}")
            raise


def _demand_pinned(ref: ModelRef, base_url: str) -> None:
    """Refuse a name that a client would look up by itself, once more than we did."""
    host = (urlsplit(base_url).hostname or "").rstrip(".")
    if ref.provider != "bedrock" or host.endswith(_AWS) or host == "localhost" or literal_address(host) is not None:
        return
    raise PolicyError(
        f"{host} is no address of AWS, where {ref.id} is asked",
        fix="name an endpoint of AWS, or set AWS_ENDPOINT_URL_BEDROCK_RUNTIME for this machine",
    )


def _rules(ref: ModelRef, policy: EgressPolicy, chosen: str | None) -> EgressPolicy:
    if ref.base_url == chosen:
        return EgressPolicy(allow_loopback=True, allow_private=True)
    return declared_rules(ref, policy)
