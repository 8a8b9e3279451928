"""Lists of the service: an iterator over all of their items, which asks for a page when it has come to the end of the one before."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace
from typing import Any, Generic, Protocol, TypeVar

from weft.client.line import AsyncLine, Line
from weft.client.operation import Call

Item = TypeVar("Item")
Item_co = TypeVar("Item_co", covariant=True)


class Page(Protocol[Item_co]):
    """One page of a list: its items, and where the next one begins."""

    @property
    def items(self) -> Sequence[Item_co]:
        """What is on it."""
        ...

    @property
    def next(self) -> str | int | None:
        """Where the next one begins; None at the end."""
        ...


Paged = TypeVar("Paged", bound=Page[Any])


def _following(call: Call[Paged], page: Paged, place: str) -> Call[Paged] | None:
    """The call for the page after this one; None at the end, or where it would not get any further."""
    if page.next is None or page.next == call.query.get(place):
        return None
    return replace(call, query={**call.query, place: page.next})


class Items(Generic[Item, Paged]):
    """The items of a list, in order. Every loop over it asks anew."""

    def __init__(self, line: Line, call: Call[Paged], place: str) -> None:
        self._line = line
        self._call = call
        self._place = place

    def page(self) -> Paged:
        """The first page alone, with what it says beside its items."""
        return self._line.send(self._call)

    def pages(self) -> Iterator[Paged]:
        """Page after page."""
        call: Call[Paged] | None = self._call
        while call is not None:
            page = self._line.send(call)
            yield page
            call = _following(call, page, self._place)

    def __iter__(self) -> Iterator[Item]:
        for page in self.pages():
            yield from page.items


class AsyncItems(Generic[Item, Paged]):
    """The items of a list, in order. Every loop over it asks anew."""

    def __init__(self, line: AsyncLine, call: Call[Paged], place: str) -> None:
        self._line = line
        self._call = call
        self._place = place

    async def page(self) -> Paged:
        """The first page alone, with what it says beside its items."""
        return await self._line.send(self._call)

    async def pages(self) -> AsyncIterator[Paged]:
        """Page after page."""
        call: Call[Paged] | None = self._call
        while call is not None:
            page = await self._line.send(call)
            yield page
            call = _following(call, page, self._place)

    async def __aiter__(self) -> AsyncIterator[Item]:
        async for page in self.pages():
            for item in page.items:
                yield item
