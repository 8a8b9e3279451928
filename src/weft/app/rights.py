"""What there is to be allowed, and which role may: one table, by resource and action. The page about the security model shows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

_ALL = ("developer", "operator", "approver", "viewer")
_OPERATE = ("developer", "operator")
EVERYTHING = frozenset({"*"})


@dataclass(frozen=True, slots=True)
class Right:
    """One right: what it allows, and the roles that have it. An admin has every right."""

    allows: str
    roles: tuple[str, ...]


RIGHTS: Mapping[str, Right] = {
    "runs:read": Right("see runs, their events, results and artifacts", _ALL),
    "runs:start": Right("start runs and talk to agents, on every protocol", _OPERATE),
    "runs:write": Right("cancel, resume, fork, signal, promote and delete runs", _OPERATE),
    "gates:read": Right("see what runs ask people", _ALL),
    "gates:decide": Right("answer gates in one's own name", (*_OPERATE, "approver")),
    "gates:any": Right("answer gates that others are asked, in their name", ()),
    "workflows:read": Right("see workflows and their versions", _ALL),
    "workflows:write": Right("register and remove workflows", ("developer",)),
    "agents:read": Right("see agents", _ALL),
    "tools:read": Right("see tools", _ALL),
    "plans:read": Right("see plans that were made for requests", _ALL),
    "plans:write": Right("remove them", ("developer",)),
    "automations:read": Right("see schedules and triggers", _ALL),
    "automations:write": Right("add, pause and remove schedules and triggers", _OPERATE),
    "sessions:use": Right("hold conversations of one's own", (*_OPERATE, "approver")),
    "webhooks:read": Right("see webhooks and deliveries", _OPERATE),
    "webhooks:write": Right("add, change and remove webhooks", ("developer",)),
    "usage:read": Right("see tokens and costs", _ALL),
    "audit:read": Right("read and export the audit log", ("operator",)),
    "settings:read": Right("see the settings, secrets masked", ("operator",)),
    "flags:read": Right("see flags", _ALL),
    "flags:write": Right("set flags", ()),
    "users:read": Right("see tenants, users, roles and keys", ()),
    "users:write": Right("make and change users and keys", ()),
}
"""Every right that there is."""

ROLES: Mapping[str, frozenset[str]] = {
    "admin": EVERYTHING,
    **{role: frozenset(name for name, right in RIGHTS.items() if role in right.roles) for role in _ALL},
}
"""What each role may do."""


def table() -> str:
    """The table as Markdown."""
    names = list(ROLES)
    lines = [f"| right | allows | {' | '.join(names)} |", f"| --- | --- |{' --- |' * len(names)}"]
    for name, right in RIGHTS.items():
        marks = ["✓" if role == "admin" or role in right.roles else "" for role in names]
        lines.append(f"| `{name}` | {right.allows} | {' | '.join(marks)} |")
    return "\n".join(lines)
