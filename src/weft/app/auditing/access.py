"""What runs reach, in the audit log: tools, the network, secrets, and what was masked in their journals."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from weft.app.auditing.trail import Trail
from weft.core.errors import PolicyError, WeftError
from weft.core.event import Event
from weft.core.owner import LOCAL, Owner
from weft.net.port import Http, Response
from weft.secrets.resolve import SecretRef
from weft.store.journal import Journal

_KEPT = 10_000
_OVER = frozenset({"run.completed", "run.failed", "run.cancelled"})
_ENDS = {"step.completed": "done", "step.failed": "failed"}


class Access:
    """Notes what the runs of one process reach, in the name of whoever started them. It hears of their events."""

    def __init__(self, journal: Journal, trail: Trail, mask: Callable[[Any], Any]) -> None:
        self._journal = journal
        self._trail = trail
        self._mask = mask
        self._owners: dict[str, Owner] = {}
        self._begun: OrderedDict[str, dict[str, str]] = OrderedDict()
        """The tools that are being called, by run and path."""
        self._cleaned: set[tuple[str, str]] = set()

    def note(
        self,
        run_id: str,
        path: str,
        act: str,
        target: str,
        data: Mapping[str, Any] | None = None,
        *,
        outcome: str = "done",
        by: str = "",
    ) -> None:
        """Something that a run has done at `path`, in the name of whoever started it, or done to it `by` somebody else."""
        owner = self.owner(run_id)
        about = {"run": run_id, **({"path": path} if path else {}), **(data or {})}
        entry = self._trail.entry(by or owner.principal, act, target, about, outcome=outcome, tenant=owner.tenant)
        self._trail.later(entry, soon=outcome == "denied")

    def event(self, event: Event) -> None:
        """A tool was called, or a gate was decided by nobody, if this event says so."""
        data = event.data if isinstance(event.data, dict) else {}
        if event.kind == "gate.decided" and data.get("how") == "deadline":
            about = {"gate": str(data.get("gate", "")), "how": "deadline"}
            self.note(event.run_id, event.path, "gate.decide", f"run/{event.run_id}", about, by="weft")
            return
        if event.kind == "step.started" and data.get("type") == "tool":
            self._begin(event.run_id, event.path, str(data.get("target", "")))
            return
        if event.kind in _OVER:
            for path, name in self._begun.pop(event.run_id, {}).items():
                # It was called, and the run ended without waiting for it.
                self.note(event.run_id, path, "tool.call", f"tool/{name}", {"left": True}, outcome="failed")
            return
        outcome = _ENDS.get(event.kind)
        if outcome is None:
            return
        begun = self._begun.get(event.run_id, {}).pop(event.path, None)
        tool = begun if begun is not None else _tool(data)
        if tool:
            denied = event.kind == "step.failed" and _cause(data) == PolicyError.code
            self.note(event.run_id, event.path, "tool.call", f"tool/{tool}", outcome="denied" if denied else outcome)

    def _begin(self, run_id: str, path: str, tool: str) -> None:
        self._begun.setdefault(run_id, {})[path] = tool
        if len(self._begun) > _KEPT:
            # Of runs that were let go of nobody hears any more here.
            self._begun.popitem(last=False)

    def delta(self, run_id: str, path: str, attempt: int, delta: Mapping[str, Any]) -> None:
        """What is not history is no act."""

    def reading(self, run_id: str, path: str) -> Callable[[SecretRef], None]:
        """What is to be told of each secret that a step reads."""

        def read(ref: SecretRef) -> None:
            self.note(run_id, path, "secret.read", f"secret/{ref.name}", {"source": ref.source})

        return read

    def http(self, http: Http, run_id: str, path: str) -> Http:
        """`http` for one step; what it reaches is noted."""
        return _Watched(http, self, run_id, path)

    def masked(self, run_id: str, path: str, value: Any) -> Any:
        """`value`, which is to be written of a step, without the secrets that are known; when there were some, that is noted."""
        clean = self._mask(value)
        if clean is not value and clean != value:
            self.redaction(run_id, path)
        return clean

    def redaction(self, run_id: str, path: str) -> None:
        """Secrets were taken out of what a step gives or writes: once for a step is enough to know of."""
        if (run_id, path) in self._cleaned:
            return
        if len(self._cleaned) >= _KEPT:
            self._cleaned.clear()
        self._cleaned.add((run_id, path))
        self.note(run_id, path, "redaction", f"run/{run_id}", by="weft")

    def owner(self, run_id: str) -> Owner:
        """Whose a run is."""
        known = self._owners.get(run_id)
        if known is None:
            if len(self._owners) >= _KEPT:
                self._owners.clear()
            try:
                run = self._journal.runs.get(run_id)
            except WeftError:
                return LOCAL
            known = self._owners[run_id] = Owner(run.tenant, run.principal)
        return known


def _error(data: Mapping[str, Any]) -> Mapping[str, Any]:
    error = data.get("error")
    return error if isinstance(error, Mapping) else {}


def _cause(data: Mapping[str, Any]) -> str:
    """Why a step failed; what a tool raised is the cause of its step's error."""
    error = _error(data)
    return str((error.get("ids") or {}).get("cause") or error.get("code", ""))


def _tool(data: Mapping[str, Any]) -> str:
    """The tool whose step ended, if it was one."""
    if data.get("type") == "tool":
        return str(data.get("target", ""))
    if data.get("call") == "tool" and "error" in data:
        return str((_error(data).get("ids") or {}).get("tool", ""))
    value = data.get("value")
    return str(value.get("tool", "")) if data.get("call") == "tool" and isinstance(value, Mapping) else ""


@dataclass(frozen=True)
class _Watched:
    """Makes requests in the name of a step."""

    inner: Http
    access: Access
    run_id: str
    path: str

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        json: Any = None,
        body: bytes | None = None,
        timeout_s: float | None = None,
    ) -> Response:
        """The answer to one request; see `Http.request`."""
        # Of an address only the host is told: the rest may hold what is secret.
        target = f"host/{_host(url)}"
        try:
            response = await self.inner.request(method, url, headers=headers, json=json, body=body, timeout_s=timeout_s)
        except PolicyError as error:
            reason = {"method": method[:10], "reason": error.message[:200]}
            self.access.note(self.run_id, self.path, "net.request", target, reason, outcome="denied")
            raise
        except BaseException:  # also when it is called off half-way: what was sent may have arrived
            self.access.note(self.run_id, self.path, "net.request", target, {"method": method[:10]}, outcome="failed")
            raise
        self.access.note(
            self.run_id, self.path, "net.request", target, {"method": method[:10], "status": response.status}
        )
        return response


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
