import asyncio
import io
import json
import logging

from tests.logs import restore  # noqa: F401 -- a fixture

from weft.core.masking import MASK
from weft.telemetry.identity import span_id, trace_id
from weft.telemetry.logs import about, configure
from weft.telemetry.redact import Redactor

LOG = logging.getLogger("weft.test")


def lines(act, style="json", level="info", secrets=()):
    out = io.StringIO()
    configure(level=level, style=style, redactor=Redactor(secrets), stream=out)
    act()
    text = out.getvalue()
    return [json.loads(line) for line in text.splitlines()] if style == "json" else text


def test_a_json_line_carries_run_step_trace_and_span():
    def act():
        with about("r1", "/draft/writer"):
            LOG.info("started %s", "well", extra={"attempt": 2})
        LOG.warning("outside")

    inside, outside = lines(act)
    assert inside["message"] == "started well"
    assert (inside["run_id"], inside["step"], inside["attempt"]) == ("r1", "/draft/writer", 2)
    assert (inside["trace_id"], inside["span_id"]) == (trace_id("r1"), span_id("r1", "/draft/writer"))
    assert (inside["level"], inside["logger"]) == ("info", "weft.test")
    assert inside["time"].endswith("Z")
    assert "run_id" not in outside


async def test_each_task_has_a_subject_of_its_own():
    out = io.StringIO()
    configure(level="info", style="json", redactor=Redactor(), stream=out)

    async def work(run):
        with about(run):
            await asyncio.sleep(0)
            LOG.info(run)

    await asyncio.gather(*(work(f"r{n}") for n in range(10)))
    for line in out.getvalue().splitlines():
        data = json.loads(line)
        assert data["message"] == data["run_id"]


def test_secrets_never_reach_a_log_in_either_format():
    class Odd:
        def __str__(self):
            return "sk-canary0123456789abc"

    def act():
        try:
            raise RuntimeError("password=canary-1")
        except RuntimeError:
            LOG.exception(
                "key %s", "canary-2", extra={"api_key": "canary-3", "odd": Odd(), "nested": {"token": "canary-4"}}
            )
        LOG.info("%s sk-canary0123456789abc", "x" * 16_370)

    for style in ("json", "text"):
        shown = str(lines(act, style, level="debug", secrets=["canary-2"]))
        assert "canary" not in shown
        assert MASK in shown


def test_a_record_is_one_line_whatever_is_in_it():
    loop = []
    loop.append(loop)

    def act():
        LOG.info("two\nlines", extra={"loop": loop, "raw": b"\xff", "set": {1}})
        LOG.info("%d", "no number")

    first, second = lines(act)
    assert first["message"] == "two\nlines"
    assert second["message"].startswith("%d")


def test_people_get_short_lines_and_tracebacks_only_when_debugging():
    def act():
        with about("r1", "/a"):
            try:
                raise RuntimeError("boom")
            except RuntimeError:
                LOG.exception("it failed")

    assert lines(act, "text") == "error: it failed  [r1 /a]\n"
    assert "Traceback" in lines(act, "text", level="debug")


def test_records_below_the_level_are_not_written_and_configuring_again_replaces():
    def act():
        LOG.info("quiet")
        LOG.warning("loud")

    assert [one["message"] for one in lines(act, level="warning")] == ["loud"]
    assert [one["message"] for one in lines(act, level="warning")] == ["loud"]


def test_what_a_message_quotes_begins_no_line_and_steers_no_terminal():
    stream = io.StringIO()
    configure(level="info", style="text", redactor=Redactor(), stream=stream)
    logging.getLogger("weft.x").warning("a model said: %s", "ok\nerror: forged\r\x1b[2J\u202e")
    assert stream.getvalue() == "warning: a model said: ok\\nerror: forged\\r\\x1b[2J\\u202e\n"
