"""Acts that the service and commands have in common, each as the audit log names it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

_REASON = 200
_TOOLS = 100


@dataclass(frozen=True, slots=True)
class Act:
    """What somebody does: `name` such as ``run.cancel``, to `target` such as ``run/<id>``; `data` holds names and numbers alone."""

    name: str
    target: str
    data: Mapping[str, Any] = field(default_factory=dict)


def run_start(run_id: str, file: str, automation: str = "") -> Act:
    """A run begins; of its own accord if an automation is named."""
    return Act("run.start", f"run/{run_id}", {"file": file, **({"automation": automation} if automation else {})})


def run_resume(run_id: str, *, reopen: bool, settled: Mapping[str, str]) -> Act:
    """A run goes on, opened again or not; of steps in doubt it is said whether they happened (``yes``, ``no``)."""
    return Act("run.resume", f"run/{run_id}", {"reopen": reopen, "settled": dict(settled)})


def run_cancel(run_id: str, reason: str, did: bool = True, *, automation: str = "") -> Act:
    """A run is stopped, unless it had ended; by an automation if one is named."""
    facts: dict[str, Any] = {"reason": reason[:_REASON]}
    facts |= {"automation": automation} if automation else {}
    return Act("run.cancel", f"run/{run_id}", facts if did else {**facts, "ended": True})


def run_fork(of: str, made: str = "") -> Act:
    """A run is forked; `made` is the new one once there is one."""
    return Act("run.fork", f"run/{made or of}", {"of": of})


def run_promote(run_id: str) -> Act:
    """A run becomes the current one of its line."""
    return Act("run.promote", f"run/{run_id}")


def run_discard(run_id: str, gone: Sequence[str] = ()) -> Act:
    """A fork is dropped, and with it `gone`."""
    return Act("run.discard", f"run/{run_id}", {"runs": len(gone)})


def run_delete(run_id: str, gone: Sequence[str] = ()) -> Act:
    """A run is deleted, and with it `gone`."""
    return Act("run.delete", f"run/{run_id}", {"runs": len(gone)})


def run_signal(run_id: str, name: str) -> Act:
    """A run is sent a signal."""
    return Act("run.signal", f"run/{run_id}", {"name": name})


def gate_decide(run_id: str, gate: str, answered_for: str = "") -> Act:
    """A gate is answered, in the name of somebody else if one is named."""
    return Act("gate.decide", f"run/{run_id}", {"gate": gate, **({"for": answered_for} if answered_for else {})})


def plans_forget(gone: Sequence[str] = ()) -> Act:
    """Plans are not used again."""
    return Act("plan.invalidate", "plans", {"removed": len(gone)})


def tools_accept(server: str, tools: Sequence[str]) -> Act:
    """What an MCP server says of its tools is accepted."""
    return Act("tools.accept", f"server/{server}", {"tools": list(tools[:_TOOLS])})


def tools_login(server: str) -> Act:
    """A token for an MCP server is fetched and kept."""
    return Act("tools.login", f"server/{server}")


def automation_add(name: str, kind: str = "", workflow: str = "") -> Act:
    """A schedule or a trigger is added."""
    facts = {"kind": kind, "workflow": workflow}
    return Act("automation.add", f"automation/{name}", {key: value for key, value in facts.items() if value})


def automation_pause(name: str, *, paused: bool) -> Act:
    """A schedule or a trigger is kept from starting runs, or let go on."""
    return Act("automation.pause" if paused else "automation.resume", f"automation/{name}")


def automation_remove(name: str) -> Act:
    """A schedule or a trigger is forgotten."""
    return Act("automation.remove", f"automation/{name}")


def automation_sync(file: str, changed: Mapping[str, Sequence[str]] | None = None) -> Act:
    """What files say of when they run is made active: the names of those that were ``added``, ``changed`` and ``removed``."""
    some = {what: list(names[:_TOOLS]) for what, names in (changed or {}).items() if names}
    return Act("automation.sync", "automations", {"file": file, **some})


def user_create(user: str, role: str) -> Act:
    """Somebody may come in."""
    return Act("user.create", f"user/{user}", {"role": role})


def user_change(user: str, given: Mapping[str, Any]) -> Act:
    """A user gets another name or role, or may not come in any more."""
    return Act("user.change", f"user/{user}", given)


def key_create(user: str, role: str, key: str = "") -> Act:
    """A key is made for a user; `key` is its id once there is one."""
    return Act("key.create", f"key/{key}", {"user": user, "role": role})


def key_revoke(key: str) -> Act:
    """A key is taken back."""
    return Act("key.revoke", f"key/{key}")


def signin_end(signin: str, user: str | None = None) -> Act:
    """A browser's session is ended."""
    return Act("signin.end", f"signin/{signin}", {"user": user} if user else {})
