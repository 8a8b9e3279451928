"""Handoffs: who passes the conversation to whom, and the chain of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from weft.agents.swarm.answers import as_object, response_of
from weft.core.errors import LimitError, RejectedError

Json = Any
_TEXT = 4_000


def pass_on(settings: Mapping[str, Json], given: Mapping[str, Json], _: str) -> dict[str, Json]:
    """One turn: the answer of the agent whose turn it was, or to whom it passes on; ``chain`` is everything so far.

    Raises:
        RejectedError: it passes on to one that it may not.
        LimitError: too many handoffs, or the same one a second time.
    """
    speaker, chain, response = given["at"], list(given["chain"]), response_of(given["turn"])
    found = as_object(response) or {}
    to = found.get("handoff") or found.get("handoff_to") or found.get("transfer_to")
    allowed = settings["allowed"][speaker]
    # Who has nobody to hand over to can only answer.
    if not allowed or not isinstance(to, str) or not to.strip():
        answer = found.get("answer", response) if found else response
        return {"response": answer, "at": speaker, "to": None, "done": True, "chain": chain}
    to = to.strip()
    if to not in allowed:
        raise RejectedError(
            f"{speaker!r} wants to hand over to {to!r}, which it may not",
            fix=f"it may hand over to: {', '.join(allowed) or 'nobody'}; list others under its `to`",
        )
    step = {"from": speaker, "to": to, "reason": _text(found.get("reason")), "message": _text(found.get("message"))}
    way = " → ".join([*(each["from"] for each in chain), speaker, to])
    if any((each["from"], each["to"]) == (speaker, to) for each in chain):
        raise LimitError(
            f"the conversation goes in circles: {way}",
            fix="say in the agents' prompts who answers what, or take a way back out of `to`",
        )
    if len(chain) >= settings["max_handoffs"]:
        raise LimitError(f"more than {settings['max_handoffs']} handoffs: {way}", fix="raise `max_handoffs`")
    return {"response": step["message"], "at": speaker, "to": to, "done": False, "chain": [*chain, step]}


def _text(value: Json) -> str:
    return value[:_TEXT] if isinstance(value, str) else ""
