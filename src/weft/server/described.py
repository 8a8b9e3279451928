"""The OpenAPI document of the service, with its errors as they really look."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import iter_route_contexts

from weft.server.problems import MEDIA_TYPE

_OWN = ("/api/", "/health/")
_FASTAPIS = ("HTTPValidationError", "ValidationError")


def document(app: FastAPI) -> dict[str, Any]:
    """The document of the control API and the health checks, from which clients are made.

    Protocols that others have described are not in it.
    """
    routes = [one for one in iter_route_contexts(app.routes) if (one.path or "").startswith(_OWN)]
    whole = get_openapi(
        title=app.title,
        version=app.version,
        description=app.description,
        routes=routes,
    )
    for operations in whole["paths"].values():
        for operation in operations.values():
            for status, response in operation.get("responses", {}).items():
                _as_problem(status, response)
    schemas = whole["components"]["schemas"]
    for name in _FASTAPIS:
        schemas.pop(name, None)
    whole["components"]["securitySchemes"] = {
        "bearer": {"type": "http", "scheme": "bearer", "description": "Where the service has a token, or keys."}
    }
    whole["security"] = [{}, {"bearer": []}]
    return whole


def _as_problem(status: str, response: dict[str, Any]) -> None:
    """An error has one form, whatever the framework would say by itself."""
    content = response.get("content")
    if content and (status == "default" or status.startswith(("4", "5"))):
        response["content"] = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}


def install(app: FastAPI) -> None:
    """Have `app` answer with this document at its usual address."""

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = document(app)
        return app.openapi_schema

    app.openapi = described  # type: ignore[method-assign]  # the way that FastAPI documents
