"""Whether the service lives, whether it takes work, and what it stands on."""

from __future__ import annotations

import time
from typing import Any

from fastapi import APIRouter, FastAPI, Response

import weft
from weft.app.auditing.unwritten import Unwritten
from weft.core.errors import WeftError
from weft.server.rooms import Rooms


def install(app: FastAPI, rooms: Rooms) -> None:
    """Put the health checks into `app`."""
    router = APIRouter(
        prefix="/health", tags=["health"], generate_unique_id_function=lambda route: f"health_{route.name}"
    )
    host = rooms.host

    @router.get("/live")
    async def live() -> dict[str, str]:
        """The process answers."""
        return {"status": "ok", "version": weft.__version__}

    @router.get("/ready")
    async def ready(response: Response) -> dict[str, str]:
        """New work is taken."""
        if host.draining:
            response.status_code = 503
            return {"status": "draining"}
        return {"status": "ok"}

    @router.get("/deep")
    async def deep(response: Response) -> dict[str, Any]:
        """The journal can be written and read, the folders hold what they should, and certificates are good for a while."""
        checks: dict[str, Any] = {}
        begun = time.perf_counter()
        try:
            await host.journal.writer.submit(lambda connection: connection.execute("SELECT 1").fetchone())
            host.journal.runs.list(limit=1)
            checks["journal"] = {"status": "ok", "ms": round((time.perf_counter() - begun) * 1_000, 2)}
        except WeftError as error:
            checks["journal"] = {"status": "failed", "message": error.message, "fix": error.fix}
        checks["audit"] = _audit(host.trail.unwritten)
        broken = host.library.broken()
        checks["library"] = {
            "status": "ok" if not broken else "degraded",
            "served": len(host.library.all()),
            "broken": sorted(path.name for path in broken),
        }
        for one in host.certificates.look():
            checks[one.setting] = {
                "status": "failed" if one.over else "degraded" if one.problem else "ok",
                **({} if one.until is None else {"until": one.until.isoformat()}),
                **({"message": one.problem, "fix": one.fix} if one.problem else {}),
            }
        bad = any(one["status"] == "failed" for one in checks.values())
        response.status_code = 503 if bad else 200
        return {"status": "failed" if bad else "ok", "checks": checks}

    app.include_router(router)


def _audit(unwritten: Unwritten) -> dict[str, Any]:
    """Whether entries of the audit log have been lost since the process began, or are about to be."""
    if not (unwritten.lost or unwritten.refused):
        return {"status": "ok"}
    if unwritten.lost:
        message = f"{unwritten.lost} entries are lost, for the journal refused them"
        fix = "the log of the service names them; mend the journal, and start the service again"
    else:
        message, fix = "the journal refuses entries, which are tried again", "mend the journal"
    counts = {"waiting": unwritten.waiting, "lost": unwritten.lost}
    return {"status": "degraded", **counts, "message": message, "fix": fix}
