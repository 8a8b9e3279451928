"""The functions that plans name, for the engine; and the performers of what only functions ask for."""

from __future__ import annotations

import inspect
import random
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from weft.core.errors import Place, StepTimeoutError, ToolError, TransientError, WeftError
from weft.engine.port import Done, StepContext
from weft.engine.programs.port import Desk
from weft.plan.nodes import Call
from weft.python.asking import DESK
from weft.python.shapes import hints, plain, read
from weft.python.workflows import WorkflowFunction
from weft.tools.threads import Threads


@dataclass(frozen=True, slots=True)
class Loaded:
    """Implements `weft.engine.programs.port.Code`."""

    workflow: WorkflowFunction[..., Any]
    parts: Mapping[str, str]

    async def run(self, desk: Desk, inputs: Mapping[str, Any]) -> Any:
        """See `Code.run`."""
        DESK.set(desk)
        types = hints(self.workflow.function)
        arguments = {name: read(types.get(name), value) for name, value in inputs.items()}
        return plain(await self.workflow.function(**arguments))


class FunctionPerformer:
    """Performs the functions of `weft.step`, which are in the scope: they are part of the code, not of the plan."""

    computes = False

    def __init__(self) -> None:
        self._threads = Threads()

    async def perform(self, call: Call, scope: Mapping[str, Any], context: StepContext) -> Done:
        """Call it.

        Raises:
            WeftError: it failed.
        """
        function = partial(scope["function"], *scope["args"], **scope["kwargs"])
        place = Place(path=context.path)
        try:
            if inspect.iscoroutinefunction(inspect.unwrap(scope["function"])):
                value = await function()
            else:
                value = await self._threads.run(function)
                value = await value if inspect.isawaitable(value) else value
            return Done(plain(value))
        except WeftError:
            raise
        except TimeoutError as error:
            raise StepTimeoutError(str(error) or "something timed out", place=place) from error
        except ConnectionError as error:
            raise TransientError(f"{type(error).__name__}: {error}", place=place) from error
        except Exception as error:  # a function of the user, which may raise anything
            raise ToolError(
                f"{call.target} raised {type(error).__name__}: {error}", fix="correct the function", place=place
            ) from error

    async def check(self, call: Call, scope: Mapping[str, Any], context: StepContext) -> Done | None:
        """Nobody can be asked about a function."""
        del call, scope, context
        return None


class RandomPerformer:
    """Performs draws: a number from 0 to 1 that follows from the key of the step."""

    computes = True

    async def perform(self, call: Call, scope: Mapping[str, Any], context: StepContext) -> Done:
        """Draw."""
        del call, scope
        return Done(random.Random(context.key).random())  # noqa: S311 -- repeatable on purpose

    async def check(self, call: Call, scope: Mapping[str, Any], context: StepContext) -> Done | None:
        """A draw leaves no trace outside."""
        del call, scope, context
        return None
