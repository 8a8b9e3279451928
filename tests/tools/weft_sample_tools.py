"""Tools as a user would write them."""

import asyncio
import contextvars
import sys
import threading
import time
from dataclasses import dataclass
from enum import Enum
from os import system
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from weft.tools.port import ToolContext

SEEN: list = []
RELEASE = threading.Event()
VARIABLE = contextvars.ContextVar("variable", default="unset")
IMPORTED = system


class Size(Enum):
    SMALL = "small"
    LARGE = "large"


class Item(BaseModel):
    name: str
    count: int = 1


@dataclass
class Point:
    x: int
    y: float


def order(items: list[Item], size: Size = Size.SMALL, note: str | None = None) -> dict:
    """Place an order.

    It is placed at once.

    Args:
        items: What to order,
            one entry an article.
        size (Size): How large the box is.

    Returns:
        What was ordered.
    """
    return {"total": sum(item.count for item in items), "size": size, "note": note, "first": items[0]}


async def greet(context: ToolContext, json: str, schema: Annotated[int, Field(ge=1)] = 1) -> str:
    """Greet somebody."""
    await asyncio.sleep(0)
    return f"{context.key} {json} {schema}"


def where() -> str:
    return f"{threading.current_thread().name} {VARIABLE.get()}"


def fails(kind: str) -> str:
    """Fail in one way or another."""
    if kind == "secret":
        raise ValueError("the password is tok-very-secret")
    if kind == "exit":
        sys.exit(3)
    if kind == "stop":
        raise StopIteration
    if kind == "long":
        raise RuntimeError("x" * 100_000)
    if kind == "silent":

        class SilentError(Exception):
            def __str__(self):
                raise RuntimeError

        raise SilentError
    raise ZeroDivisionError("no")


async def async_exit() -> None:
    sys.exit(3)


async def cancels_itself() -> None:
    raise asyncio.CancelledError


async def own_timeout() -> None:
    raise TimeoutError("the service said no")


async def hangs() -> None:
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        SEEN.append("cancelled")
        raise


def blocks() -> None:
    RELEASE.wait(20)


def sleeps_briefly() -> str:
    time.sleep(0.01)
    return "done"


def returns(what: str):
    loop: list = []
    loop.append(loop)
    return {
        "nan": {"a": [float("nan")]},
        "inf": float("inf"),
        "bytes": {"b": b"x"},
        "set": {1, 2},
        "key": {1: 2},
        "cycle": loop,
        "huge": 10**5000,
        "object": object(),
        "point": Point(1, 2.5),
        "path": Path("a/b"),
        "tuple": (1, (2,)),
        "surrogate": "a\ud800b",
        "secret": {"tok-very-secret": ["x tok-very-secret y"]},
        "none": None,
    }[what]


def text(size: int) -> str:
    return "ü" * size


def table(size: int) -> dict:
    return {"status": 200, "body": "b" * size, "note": "kept"}


def numbers(size: int) -> list:
    return list(range(size))


def unhinted(a) -> None:
    """No hint."""


def variadic(*args: int) -> None:
    """Any number."""


def positional(a: int, /) -> None:
    """By place only."""


def odd_type(a: threading.Event) -> None:
    """No form in JSON."""


def pay(amount: int) -> dict:
    """Pay once."""
    return {"paid": amount}


async def _paid(key: str):
    return {"paid": 5} if key == "key-1" else None


pay.reconcile = _paid


def choose(mode: Literal["a", "b"] = "a", **_rest: int) -> str:
    return mode
