"""One life of a program: it is run from the top, and what the journal has is handed to it in the order in which it was before.

While the journal knows what the program asked for next, nothing new begins: it has to ask for the same again, step by step. Only then
is anything performed, so that code which takes other turns than before stops before it has done anything.
"""

from __future__ import annotations

import asyncio
import traceback
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from weft.core.errors import LimitError, MismatchError, Place, ProgramError, WeftError
from weft.engine.port import Asked, Failure, Outcome, RunHalted, Runtime, Settings, Success, Suspended
from weft.engine.programs.loop import ProgramLoop
from weft.engine.programs.port import PLACE, Code, Request
from weft.engine.tasks import Tasks
from weft.plan.paths import segment

Json = Any
Mask = Callable[[Any], Any]
_WIDTH = 10_000
"""Steps that a program may ask for at once."""


@dataclass(slots=True)
class _Waiting:
    request: Request
    future: asyncio.Future[Json]


class Drive:
    """Implements `weft.engine.programs.port.Desk`. With `dry`, only what the journal has is gone through again."""

    def __init__(self, runtime: Runtime, path: str, settings: Settings, function: str, *, dry: bool = False) -> None:
        self._runtime = runtime
        self._path = path
        self._settings = settings
        self._function = function
        self._dry = dry
        self._loop = ProgramLoop()  # type: ignore[abstract]  # what it lacks leads outside and is refused
        self._tasks = Tasks()
        self._pending: dict[str, _Waiting] = {}
        self._new: deque[str] = deque()
        self._fresh: deque[str] = deque()
        self._unknown: list[str] = []
        self._waits: list[Mapping[str, Json]] = []
        self._counts = Counter[str]()
        self._places: set[str] = set()
        self._handed: list[str] = []
        self._dropped: list[asyncio.Future[Outcome]] = []
        self._closed = False
        self._before = runtime.asked(path)
        self._script = deque((at, asked) for at, asked in self._before.items() if not asked.loose)
        self._due = deque(self._script[0][1].after) if self._script else deque[str]()

    async def run(self, code: Code, inputs: Mapping[str, Json], mask: Mask) -> Outcome | None:
        """How the program ends; None when it is dry and has not ended.

        Raises:
            RunHalted: it does not do what the journal says that it did.
        """
        main = self._loop.main(code.run(self, inputs), self._path)
        try:
            while True:
                self._turn()
                self._take_in()
                if main.done():
                    break
                path = self._recorded()
                if path is None:
                    if self._dry:
                        return None
                    self._begin()
                    path = await self._next()
                    if path is None:
                        return Suspended(tuple(self._waits))
            if self._script:
                raise self._differs("the program has ended")
            return self._end(main, mask)
        except (LimitError, ProgramError) as error:
            return Failure(error)
        finally:
            self._closed = True
            await self._tasks.stop()
            await asyncio.gather(*self._dropped, return_exceptions=True)
            self._abandon()

    def place(self, name: str, key: str | None = None) -> str:
        """See `Desk.place`."""
        spot = f"{PLACE.get()}/{segment(name)}"
        if key is None:
            path = f"{spot}[{self._counts[spot]}]"
            self._counts[spot] += 1
        else:
            path = f"{spot}[{segment(key)}]"
        if path in self._places:
            raise ProgramError(
                f"the program asks twice for the step {path}",
                fix="give each of them a key of its own",
                place=Place(path=path),
            )
        self._places.add(path)
        return path

    async def ask(self, path: str, request: Request) -> Json:
        """See `Desk.ask`."""
        if self._closed:
            raise asyncio.CancelledError
        if len(self._pending) >= _WIDTH:
            raise LimitError(f"the program asks for more than {_WIDTH:,} steps at once", fix="ask for fewer at a time")
        future = self._loop.create_future()
        self._pending[path] = _Waiting(request, future)
        self._new.append(path)
        try:
            return await future
        finally:
            # Whoever is stopped while waiting wants it no more.
            self._drop(path)

    def _turn(self) -> None:
        try:
            self._loop.turn()
        except SystemExit as error:
            raise ProgramError(
                f"{self._function} tried to end the process ({error})", fix="return, or raise an error"
            ) from None

    def _take_in(self) -> None:
        """Compare what was asked for with what the journal has, or record it."""
        while self._new:
            path = self._new.popleft()
            waiting = self._pending.get(path)
            if waiting is None:
                continue
            self._fresh.append(path)
            try:
                looks = waiting.request.looks()
            except (TypeError, ValueError, RecursionError) as error:
                self._refuse(path, ProgramError(f"what {path} is given is not JSON: {error}", place=Place(path=path)))
                continue
            if self._script:
                at, asked = self._script[0]
                if self._due or at != path or dict(asked.looks) != dict(looks):
                    raise self._differs(_step(path, looks), looks if at == path else None)
                self._script.popleft()
                self._due = deque(self._script[0][1].after) if self._script else deque()
                continue
            before = self._before.get(path)
            if before is not None and any(looks.get(name) != look for name, look in before.looks.items()):
                raise self._halt(path, before.looks, _step(path, looks), looks)
            if not self._dry:
                self._runtime.asks(path, Asked(looks, tuple(self._handed)))
            self._handed.clear()

    def _recorded(self) -> str | None:
        """Hand over one end that the journal has; the path of it."""
        if self._script:
            while self._due:
                path = self._due.popleft()
                outcome = self._runtime.recorded(path)
                if path not in self._pending:
                    # It was stopped before its end came to be known, and is not waited for.
                    continue
                if outcome is None:
                    raise self._differs(f"there is no end of {path}")
                self._hand(path, outcome)
                return path
            raise self._differs("the program waits")
        while self._fresh:
            path = self._fresh.popleft()
            if path not in self._pending:
                continue
            outcome = self._runtime.recorded(path)
            if outcome is not None:
                self._hand(path, outcome)
                return path
            self._unknown.append(path)
        return None

    def _begin(self) -> None:
        """Have what the journal does not have performed."""
        for path in self._unknown:
            if waiting := self._pending.get(path):
                self._tasks.launch(path, self._performed(path, waiting.request))
        self._unknown.clear()

    async def _performed(self, path: str, request: Request) -> Outcome:
        try:
            return await request.begin(self._runtime, path, self._settings)
        except WeftError as error:
            return Failure(error)

    async def _next(self) -> str | None:
        """Wait for an end and hand it over; None when there are only waits left."""
        while self._tasks.busy:
            path, outcome = await self._tasks.next_end()
            if isinstance(outcome, Suspended):
                self._waits.extend(outcome.waits)
                continue
            self._hand(path, outcome)
            return path
        if self._waits:
            return None
        raise LimitError(
            f"{self._function} waits for something that never comes",
            fix="wait for a step: nothing else can wake a workflow function",
        )

    def _hand(self, path: str, outcome: Outcome) -> None:
        waiting = self._pending.pop(path, None)
        if waiting is None or waiting.future.done():
            return
        self._handed.append(path)
        if isinstance(outcome, Success):
            waiting.future.set_result(outcome.value)
        elif isinstance(outcome, Failure):
            waiting.future.set_exception(outcome.error)

    def _refuse(self, path: str, error: WeftError) -> None:
        waiting = self._pending.pop(path)
        waiting.future.set_exception(error)

    def _drop(self, path: str) -> None:
        if self._pending.pop(path, None) is None:
            return
        task = self._tasks.running.pop(path, None)
        if task is not None:
            task.cancel()
            self._dropped.append(task)

    def _end(self, main: asyncio.Task[Json], mask: Mask) -> Outcome:
        if main.cancelled():
            return Failure(ProgramError(f"{self._function} cancelled itself", fix="raise an error, or return"))
        error = _single(main.exception())
        if error is None:
            return Success(main.result())
        if isinstance(error, WeftError):
            return Failure(error)
        said = mask(f"{type(error).__name__}: {error}")
        return Failure(ProgramError(f"{self._function} raised {said}", fix="correct the function", place=_place(error)))

    def _abandon(self) -> None:
        try:
            self._loop.abandon()
        except SystemExit:
            return

    def _differs(self, instead: str, looks: Mapping[str, str] | None = None) -> RunHalted:
        at, asked = self._script[0]
        return self._halt(at, asked.looks, instead, looks)

    def _halt(self, at: str, recorded: Mapping[str, str], instead: str, looks: Mapping[str, str] | None) -> RunHalted:
        """The report of a program that does not do what it did."""
        done = len(self._before) - len(self._script)
        if looks is not None and all(looks.get(name) == recorded.get(name) for name in ("type", "target")):
            instead = f"{instead} with another input"
        return RunHalted(
            MismatchError(
                f"{self._function} does not take the turns that it took before. After {done} steps that are the same, the journal "
                f"has {_step(at, recorded)}; now {instead}",
                fix="nothing was performed. What a workflow function does may depend only on its inputs and on what its steps "
                "return: read clocks, chance and files in steps; `weft fork` before that step goes another way",
                place=Place(path=at),
                function=self._function,
                recorded=dict(recorded),
                now=dict(looks) if looks else None,
            )
        )


def _step(path: str, looks: Mapping[str, str]) -> str:
    return f"{path} ({' '.join(part for part in (looks.get('type'), looks.get('target')) if part)})"


def _single(error: BaseException | None) -> BaseException | None:
    """The error inside groups of one, as task groups make them; of several, the first that is of ours."""
    while isinstance(error, BaseExceptionGroup):
        inside = error.exceptions
        ours = [one for one in inside if isinstance(one, (WeftError, BaseExceptionGroup))]
        if len(inside) > 1 and len(ours) < len(inside):
            return error
        error = (ours or inside)[0]
    return error


def _place(error: BaseException) -> Place:
    """Where it was raised."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [
        frame
        for frame in frames
        if "/weft/engine/programs/" not in frame.filename and "/weft/python/" not in frame.filename
    ]
    return Place(file=own[-1].filename, line=own[-1].lineno) if own else Place()
