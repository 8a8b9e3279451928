"""Written by scripts/client from the OpenAPI document. What ``usage`` answers with."""

from __future__ import annotations

from weft.client.operation import Shape
from weft.client.shapes.runs import UsageView


class UsageRow(Shape):
    """One sum. Of `day` (UTC), `workflow`, `agent` and `model`, those are there by which it is summed."""

    day: str | None = None
    workflow: str | None = None
    agent: str | None = None
    model: str | None = None
    runs: int
    usage: UsageView


class UsagePage(Shape):
    """Some sums, in the order of what they are summed by. Where the price of a request is not known, `cost_usd` is null and `unpriced` counts such requests. `complete` is false when there were too many runs to look at all of them: the newest were."""

    items: list[UsageRow]
    next: str | None = None
    """The cursor of the next page."""
    since: str
    until: str
    total: UsageView
    runs: int
    """Runs that have consumed something."""
    complete: bool
