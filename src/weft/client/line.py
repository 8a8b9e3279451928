"""The line to a service, blocking and awaited: the two places of this room that touch the network."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Generator
from typing import Any

import httpx2

from weft.client.exchange import Came, Got, Pause, Script, Send, download, exchange
from weft.client.operation import Answer, Call
from weft.client.streaming import SILENCE_S, Envelope, Reading
from weft.core.errors import LimitError

MAX_ANSWER = 268_435_456
"""Bytes of an answer that are read."""
_LISTENING = httpx2.Timeout(30.0, read=SILENCE_S)


def _too_long() -> LimitError:
    return LimitError(f"the answer is longer than {MAX_ANSWER} bytes", fix="ask for less")


class Line:
    """Calls a service and waits."""

    def __init__(self, http: httpx2.Client, *, retries: int) -> None:
        self._http = http
        self._base = str(http.base_url)
        self._retries = retries

    def send(self, call: Call[Answer]) -> Answer:
        """The answer to a call."""
        return self._play(exchange(call, base=self._base, retries=self._retries))

    def download(self, call: Call[bytes]) -> bytes:
        """The body of the answer to a call."""
        return self._play(download(call, base=self._base, retries=self._retries))

    def stream(self, call: Call[Any], *, ends: bool, last: str = "") -> Generator[Envelope]:
        """The messages of a stream, over as many connections as it takes."""
        reading = Reading(self._base, ends, last)
        url, params = call.url, call.params
        while True:
            try:
                with self._http.stream(
                    "GET", url, params=params, headers=reading.headers, timeout=_LISTENING
                ) as answer:
                    if answer.status_code != 200:
                        pause: float | None = reading.refused(answer.status_code, answer.headers, answer.read())
                    else:
                        reading.begin()
                        for chunk in answer.iter_bytes():
                            yield from reading.feed(chunk)
                        pause = reading.broke(None)
            except httpx2.TransportError as error:
                pause = reading.broke(error)
            if pause is None or reading.over:
                return
            time.sleep(pause)

    def _play(self, script: Script[Answer]) -> Answer:
        came: Came = None
        try:
            while True:
                step = script.send(came)
                came = None
                if isinstance(step, Pause):
                    time.sleep(step.seconds)
                else:
                    came = self._ask(step)
        except StopIteration as done:
            answer: Answer = done.value
            return answer

    def _ask(self, send: Send) -> Came:
        try:
            with self._http.stream(
                send.method, send.url, params=send.params, headers=send.headers, json=send.json
            ) as answer:
                content = bytearray()
                for chunk in answer.iter_bytes():
                    content += chunk
                    if len(content) > MAX_ANSWER:
                        raise _too_long()
                return Got(answer.status_code, answer.headers, bytes(content))
        except httpx2.TransportError as error:
            return error


class AsyncLine:
    """Calls a service and lets others work meanwhile."""

    def __init__(self, http: httpx2.AsyncClient, *, retries: int) -> None:
        self._http = http
        self._base = str(http.base_url)
        self._retries = retries

    async def send(self, call: Call[Answer]) -> Answer:
        """The answer to a call."""
        return await self._play(exchange(call, base=self._base, retries=self._retries))

    async def download(self, call: Call[bytes]) -> bytes:
        """The body of the answer to a call."""
        return await self._play(download(call, base=self._base, retries=self._retries))

    async def stream(self, call: Call[Any], *, ends: bool, last: str = "") -> AsyncGenerator[Envelope]:
        """The messages of a stream, over as many connections as it takes."""
        reading = Reading(self._base, ends, last)
        url, params = call.url, call.params
        while True:
            try:
                async with self._http.stream(
                    "GET", url, params=params, headers=reading.headers, timeout=_LISTENING
                ) as answer:
                    if answer.status_code != 200:
                        content = await answer.aread()
                        pause: float | None = reading.refused(answer.status_code, answer.headers, content)
                    else:
                        reading.begin()
                        async for chunk in answer.aiter_bytes():
                            for envelope in reading.feed(chunk):
                                yield envelope
                        pause = reading.broke(None)
            except httpx2.TransportError as error:
                pause = reading.broke(error)
            if pause is None or reading.over:
                return
            await asyncio.sleep(pause)

    async def _play(self, script: Script[Answer]) -> Answer:
        came: Came = None
        try:
            while True:
                step = script.send(came)
                came = None
                if isinstance(step, Pause):
                    await asyncio.sleep(step.seconds)
                else:
                    came = await self._ask(step)
        except StopIteration as done:
            answer: Answer = done.value
            return answer

    async def _ask(self, send: Send) -> Came:
        try:
            async with self._http.stream(
                send.method, send.url, params=send.params, headers=send.headers, json=send.json
            ) as answer:
                content = bytearray()
                async for chunk in answer.aiter_bytes():
                    content += chunk
                    if len(content) > MAX_ANSWER:
                        raise _too_long()
                return Got(answer.status_code, answer.headers, bytes(content))
        except httpx2.TransportError as error:
            return error
