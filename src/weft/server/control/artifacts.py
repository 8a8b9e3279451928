"""Artifacts: the files that runs have written, listed and downloaded. Nothing of them is ever shown as a page."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Annotated
from urllib.parse import quote

from fastapi import Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from weft.app.kept_files import content, kept_files
from weft.core.clock import iso
from weft.core.errors import NotFoundError
from weft.server.control import etags
from weft.server.control.pages import Page, Paging, cut
from weft.server.control.routes import UNCHANGED, At, RunId, errors, own_run, routes
from weft.server.control.runs import Reader

api = routes("runs")
_TEXT = "text/plain; charset=utf-8"
TYPES: Mapping[str, str] = {
    ".csv": "text/csv; charset=utf-8",
    ".gif": "image/gif",
    ".jpeg": "image/jpeg",
    ".jpg": "image/jpeg",
    ".json": "application/json",
    ".log": _TEXT,
    ".md": "text/markdown; charset=utf-8",
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".txt": _TEXT,
    ".webp": "image/webp",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
}
"""Types that no browser runs anything of. Whatever else it is, it is bytes."""
OCTETS = "application/octet-stream"


class ArtifactView(BaseModel):
    """One file that a run has written."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "path": "report.md",
                "bytes": 1290,
                "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
                "type": "text/markdown; charset=utf-8",
                "step": "/$artifact[0]",
                "written_at": "2026-11-29T20:35:57.493Z",
                "there": True,
            }
        }
    )

    path: str = Field(description="Where it is in the run's output folder; `download` takes it.")
    bytes: int
    sha256: str
    type: str
    step: str
    written_at: str
    there: bool = Field(description="Whether the file is still there.")


class ArtifactPage(Page[ArtifactView]):
    """Some files of a run, by path."""


@api.get("/{run_id}/artifacts", responses=errors(404))
async def artifacts(
    run_id: RunId,
    query: Annotated[Paging, Query()],
    by: Reader,
    host: At,
) -> ArtifactPage:
    """The files that a run has written."""
    run = own_run(host, run_id, by)
    shown, more = cut(await asyncio.to_thread(kept_files, host.journal, run), query)
    items = [
        ArtifactView(
            path=one.path,
            bytes=one.size,
            sha256=one.sha256,
            type=type_of(one.path),
            step=one.step,
            written_at=iso(one.at),
            there=one.there,
        )
        for one in shown
    ]
    return ArtifactPage(items=items, next=more)


@api.get(
    "/{run_id}/artifacts/{path:path}",
    response_class=Response,
    responses={
        200: {"description": "The file.", "content": {OCTETS: {"schema": {"type": "string", "format": "binary"}}}},
        **UNCHANGED,
        **errors(404, 409),
    },
)
async def download(
    run_id: RunId,
    path: Annotated[str, Path(min_length=1, max_length=2_000, description="Its path, as the list has it.")],
    by: Reader,
    host: At,
    request: Request,
) -> Response:
    """One file that a run has written, to be saved: never a page, whatever it holds."""
    run = own_run(host, run_id, by)
    # Only what the journal says can be asked for: a path from outside is compared and never opened.
    known = await asyncio.to_thread(kept_files, host.journal, run)
    found = next((one for one in known if one.path == path), None)
    if found is None:
        raise NotFoundError(f"this run has written no {path!r}", fix="list its artifacts to see what there is")
    marked = Response()
    etags.check(request, marked, found.sha256)
    name = PurePosixPath(found.path).name
    headers = {
        "ETag": marked.headers["ETag"],
        "Cache-Control": "private, no-cache",
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "sandbox; default-src 'none'",
    }
    return Response(await asyncio.to_thread(content, found), media_type=type_of(found.path), headers=headers)


def type_of(path: str) -> str:
    """The type under which a file is sent."""
    return TYPES.get(PurePosixPath(path).suffix.lower(), OCTETS)
