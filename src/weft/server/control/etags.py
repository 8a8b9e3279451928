"""ETags: whoever has the newest already is told so, before anything is read for them."""

from __future__ import annotations

from fastapi import FastAPI, Request, Response

from weft.core.canonical import digest


class Unchanged(Exception):  # noqa: N818 -- a signal, not an error
    """The caller has what is there."""

    def __init__(self, etag: str) -> None:
        super().__init__(etag)
        self.etag = etag


def check(request: Request, response: Response, *facts: object) -> str:
    """Give the response the tag that follows from `facts`, and return it.

    Raises:
        Unchanged: the request shows that very tag.
    """
    etag = f'W/"{digest([str(fact) for fact in (request.url.path, request.url.query, *facts)])[:32]}"'
    shown = request.headers.get("if-none-match", "")
    if shown.strip() == "*" or etag.removeprefix("W/") in {one.strip().removeprefix("W/") for one in shown.split(",")}:
        raise Unchanged(etag)
    response.headers["ETag"] = etag
    response.headers["Cache-Control"] = "private, no-cache"
    return etag


def install(app: FastAPI) -> None:
    """Have `Unchanged` answered with 304."""

    async def answer(_: Request, unchanged: Exception) -> Response:
        assert isinstance(unchanged, Unchanged)
        return Response(status_code=304, headers={"ETag": unchanged.etag, "Cache-Control": "private, no-cache"})

    app.add_exception_handler(Unchanged, answer)
