"""Written by scripts/client from the OpenAPI document. What ``tenants`` answers with."""

from __future__ import annotations

from weft.client.operation import Shape


class TenantView(Shape):
    """One tenant: everything belongs to one."""

    id: str
    name: str
