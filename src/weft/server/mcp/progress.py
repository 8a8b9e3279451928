"""How a run goes, as progress notifications: what is done now, and the answer as far as it has come."""

from __future__ import annotations

import asyncio

from weft.app.serving.items import Answered, Asked, Item, Said, StepBegan, StepEnded, Waits
from weft.server.mcp.exchange import Context

_PAUSE_S = 0.1
_SHOWN = 200


class Progress:
    """Tells a client that wants to know. Pieces of text are gathered, so that a fast model floods nobody."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._wanted = bool(ctx.meta and "progress_token" in ctx.meta)
        self._count = 0
        self._text, self._untold = "", False
        self._last = 0.0

    async def tell(self, item: Item) -> None:
        """Tell of one item."""
        self._count += 1
        if not self._wanted:
            return
        now = asyncio.get_running_loop().time()
        message = _message(item)
        if isinstance(item, Said):
            self._text, self._untold = (self._text + item.text)[-_SHOWN:], True
        if not message and self._untold and now - self._last >= _PAUSE_S:
            message, self._untold = self._text, False
        if message:
            self._last = now
            await self._ctx.session.report_progress(self._count, None, message)


def _message(item: Item) -> str:
    match item:
        case StepBegan(type=type_, target=target, path=path) if type_ != "model":
            return f"{path}: {type_} {target}".rstrip()
        case StepEnded(type=type_, error=error, path=path) if type_ != "model":
            return f"{path}: {'failed' if error is not None else 'done'}"
        case Asked(request=request):
            return f"asks: {str(request.get('prompt', ''))[:_SHOWN]}"
        case Answered() | Waits():
            return "answered" if isinstance(item, Answered) else "waits"
        case _:
            return ""
