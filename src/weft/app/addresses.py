"""Where model requests may go: the addresses that a workflow gives, held to the rules of the network before a run begins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from weft.agents.builder import model_ref
from weft.core.errors import Place, WeftError
from weft.models.ref import ModelRef
from weft.models.registry import redirected
from weft.net.egress import EgressPolicy, check_base_url

_LOCAL = frozenset({"ollama"})
"""Providers that are made to run on this machine."""


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
        except WeftError as error:
            error.place = Place(pointer=f"/agents/{name}")
            raise


def _rules(ref: ModelRef, policy: EgressPolicy, chosen: str | None) -> EgressPolicy:
    if ref.base_url == chosen:
        return EgressPolicy(allow_loopback=True, allow_private=True)
    return replace(policy, allow_loopback=policy.allow_loopback or ref.provider in _LOCAL)
