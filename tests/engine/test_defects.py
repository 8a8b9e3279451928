"""A defect ends its step or its run with its name; where it happened is in the log, once, without secrets."""

import io
import json

from tests.engine.world import Doing, World, call, chain, simulated
from tests.logs import restore  # noqa: F401 -- a fixture
from weft.core.masking import MASK
from weft.engine.port import Done
from weft.telemetry.identity import span_id, trace_id
from weft.telemetry.logs import configure
from weft.telemetry.redact import Redactor

SECRET = "opened-with-me-alone"


def logged(style: str, level: str = "warning") -> io.StringIO:
    out = io.StringIO()
    configure(level=level, style=style, redactor=Redactor(), stream=out)
    return out


class Unsayable(Exception):
    def __str__(self) -> str:
        raise ValueError("it has no words")


async def stumble(node, scope, context):
    async def reach(_):
        raise KeyError(SECRET)

    return Done(await context.step("inner", reach, type="model"))


async def fall_silent(node, scope, context):
    raise Unsayable


async def fall(node, scope, context):
    raise ValueError("x" * 100_000)


def masked(run_id, path, value):
    return json.loads(json.dumps(value).replace(SECRET, MASK))


def masking(do) -> World:
    world = World(Doing(do))
    world.engine = world.new_engine(mask=masked)
    return world


@simulated
async def test_a_defect_inside_a_step_is_logged_once_with_its_traceback_its_ids_and_no_secret():
    out, world = logged("json"), masking(stumble)
    result = await world.run(chain(call("a"), call("b")))
    assert result.error.code == "internal"
    [line] = [json.loads(line) for line in out.getvalue().splitlines()]
    assert (line["level"], line["run_id"], line["step"]) == ("error", result.run_id, "/a/inner")
    assert (line["trace_id"], line["span_id"]) == (trace_id(result.run_id), span_id(result.run_id, "/a/inner"))
    assert line["message"] == f"a defect ended the step: KeyError: '{MASK}'"
    assert "Traceback" in line["exception"]
    assert "in reach" in line["exception"]
    assert SECRET not in out.getvalue()
    await world.close()


@simulated
async def test_a_traceback_reaches_no_terminal_unless_it_was_asked_for():
    for level, shown in (("warning", False), ("debug", True)):
        out, world = logged("text", level), masking(stumble)
        result = await world.run(chain(call("a")))
        assert f"error: a defect ended the step: KeyError: '{MASK}'  [{result.run_id} /a/inner]" in out.getvalue()
        assert ("Traceback" in out.getvalue()) == shown
        assert SECRET not in out.getvalue()
        await world.close()


@simulated
async def test_what_is_logged_of_a_defect_is_bounded_and_needs_no_words():
    out = logged("json")
    for do, name in ((fall, "ValueError"), (fall_silent, "Unsayable")):
        world = World(Doing(do))
        result = await world.run(chain(call("a")))
        assert result.error.message.startswith(name)
        await world.close()
    long, silent = [json.loads(line) for line in out.getvalue().splitlines()]
    assert len(long["exception"]) < 40_000
    assert "in fall_silent" in silent["exception"]


class Deaf:
    """A listener with a defect: nothing that a step could be blamed for."""

    def event(self, event):
        if event.kind == "step.completed":
            raise LookupError(SECRET)

    def delta(self, run_id, path, attempt, delta):
        """Hears nothing."""


@simulated
async def test_a_defect_outside_any_step_is_logged_as_that_of_the_run_and_journaled_without_secrets():
    out, world = logged("json"), World()
    world.engine = world.new_engine(listeners=(Deaf(),), mask=masked)
    result = await world.run(chain(call("a")))
    assert (result.status, result.error.code) == ("failed", "internal")
    [line] = [json.loads(line) for line in out.getvalue().splitlines()]
    assert line["message"] == f"a defect ended the run: LookupError: {MASK}"
    assert (line["run_id"], line["trace_id"]) == (result.run_id, trace_id(result.run_id))
    assert "step" not in line
    assert "in event" in line["exception"]
    assert SECRET not in out.getvalue() + str(world.data(result.run_id, "run.failed"))
    await world.close()
