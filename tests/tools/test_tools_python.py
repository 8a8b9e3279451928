"""Python functions as tools, through the registry and the runner."""

import asyncio
import dataclasses
import threading
import time

import pytest
import weft_sample_tools as sample
from hypothesis import given
from hypothesis import strategies as st
from tests.waiting import promised

from weft.core import canonical
from weft.core.errors import PolicyError, SpecError, ToolError, UnsupportedError
from weft.core.masking import MASK
from weft.testing.loopback import LoopbackServer, Reply
from weft.tools.registry import build_tools
from weft.tools.result import json_safe, limited
from weft.tools.runner import reconcile_tool, run_tool
from weft.tools.threads import Threads

pytestmark = pytest.mark.slow

ALLOWED = {"weft_sample_tools"}


def tool(name, threads=None, **fields):
    definition = {"kind": "python", "callable": f"weft_sample_tools:{name}", **fields}
    return build_tools({name: definition}, allowed_modules=ALLOWED, threads=threads)[name]


async def failure(built, args, context):
    with pytest.raises(ToolError) as caught:
        await run_tool(built, args, context)
    error = caught.value
    assert error.fix
    assert error.ids["tool"] == built.spec.name
    assert "Traceback" not in str(error.as_json())
    return error


def test_a_module_is_denied_unless_it_is_allowed():
    definition = {"t": {"kind": "python", "callable": "weft_sample_tools:order"}}
    for allowed in ((), {"weft_sample"}, {"weft_sample_tools.inner"}):
        with pytest.raises(PolicyError, match="weft_sample_tools") as caught:
            build_tools(definition, allowed_modules=allowed)
        assert "tools.allowed_modules" in caught.value.fix
        assert caught.value.place.pointer == "/tools/t"


def test_a_denied_module_is_not_even_imported(tmp_path, monkeypatch):
    (tmp_path / "weft_sample_evil.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(PolicyError):
        build_tools({"t": {"kind": "python", "callable": "weft_sample_evil:f"}}, allowed_modules=ALLOWED)


def test_an_allowed_module_lends_no_functions_of_others():
    for name in ("IMPORTED", "system", "Path", "SEEN", "missing", "_paid"):
        with pytest.raises((PolicyError, SpecError)):
            tool(name)


def test_an_allowed_package_covers_its_modules(tmp_path, monkeypatch):
    package = tmp_path / "weft_sample_package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "inner.py").write_text("from weft_sample_tools import order\ndef f(a: int) -> int:\n    return a\n")
    monkeypatch.syspath_prepend(tmp_path)
    definition = {"t": {"kind": "python", "callable": "weft_sample_package.inner:f"}}
    assert build_tools(definition, allowed_modules={"weft_sample_package"})["t"].spec.name == "t"
    borrowed = {"t": {"kind": "python", "callable": "weft_sample_package.inner:order"}}
    with pytest.raises(PolicyError, match="weft_sample_tools"):
        build_tools(borrowed, allowed_modules={"weft_sample_package"})


@pytest.mark.parametrize("target", ["", "nonsense", "a:b:c", "weft_sample_tools:", "file.py:", "x:y.z"])
def test_a_callable_is_named_by_module_and_function(target):
    with pytest.raises(SpecError, match="package.module:function|does not name"):
        build_tools({"t": {"kind": "python", "callable": target}}, allowed_modules=ALLOWED)


def test_a_module_that_fails_to_import_is_an_error_of_the_document(tmp_path, monkeypatch):
    (tmp_path / "weft_sample_broken.py").write_text("1 / 0")
    monkeypatch.syspath_prepend(tmp_path)
    for module in ("weft_sample_broken", "weft_sample_absent"):
        with pytest.raises(SpecError, match="cannot be imported"):
            build_tools({"t": {"kind": "python", "callable": f"{module}:f"}}, allowed_modules={module})


def test_the_schema_comes_from_hints_and_docstring():
    spec = tool("order").spec
    assert spec.description == "Place an order.\n\nIt is placed at once."
    properties = spec.input_schema["properties"]
    assert list(properties) == ["items", "size", "note"]
    assert properties["items"]["description"] == "What to order, one entry an article."
    assert properties["size"]["description"] == "How large the box is."
    assert properties["note"] == {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None}
    assert spec.input_schema["required"] == ["items"]
    assert spec.input_schema["additionalProperties"] is False
    assert spec.effect == "idempotent"
    assert (spec.timeout_s, spec.max_result_bytes) == (30.0, 256 * 1024)


def test_the_context_is_no_argument():
    assert list(tool("greet").spec.input_schema["properties"]) == ["json", "schema"]


@pytest.mark.parametrize("name", ["unhinted", "variadic", "positional", "odd_type", "choose"])
def test_a_function_that_cannot_be_described_is_refused(name):
    with pytest.raises(SpecError) as caught:
        tool(name)
    assert caught.value.fix


async def test_arguments_arrive_as_the_types_that_the_function_declares(context):
    result = await run_tool(
        tool("order"), {"items": [{"name": "a", "count": 2}, {"name": "b"}], "size": "large"}, context
    )
    assert result == {"total": 3, "size": "large", "note": None, "first": {"name": "a", "count": 2}}


async def test_an_async_function_gets_its_context(context):
    assert await run_tool(tool("greet"), {"json": "you"}, context) == "key-1 you 1"


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ({}, ["json", "required"]),
        ({"json": 5}, ["json", "string"]),
        ({"json": "a", "schema": 0}, ["schema", "minimum"]),
        ({"json": "a", "schema": "1"}, ["schema", "integer"]),
        ({"json": "a", "context": {}}, ["context", "unexpected"]),
        ([], ["object"]),
        ({"json": ["x" * 10_000]}, ["json"]),
    ],
)
async def test_wrong_arguments_are_explained_to_the_agent(args, words, context):
    error = await failure(tool("greet"), args, context)
    assert error.ids["cause"] == "input"
    assert all(word in error.message for word in words)
    assert len(error.message) < 1500


async def test_what_a_schema_cannot_say_is_checked_too(context, monkeypatch):
    built = tool("greet")
    loose = dataclasses.replace(built.spec, input_schema={"type": "object"})
    built.spec = loose
    error = await failure(built, {"json": "a", "schema": "many"}, context)
    assert error.ids["cause"] == "input"
    assert "schema" in error.message


async def test_a_schema_is_never_fetched(context):
    built = tool("greet")
    async with LoopbackServer(lambda _: Reply(body=b"{}")) as server:
        built.spec = dataclasses.replace(built.spec, input_schema={"$ref": f"{server.url}/schema.json"})
        error = await failure(built, {}, context)
    assert "cannot be checked" in error.message
    assert server.connections == 0


async def test_arguments_that_are_nested_too_deeply_are_refused(context):
    built = tool("greet")
    nested = {"type": "object", "properties": {"a": {"$ref": "#"}}}
    built.spec = dataclasses.replace(built.spec, input_schema=nested)
    deep: dict = {}
    for _ in range(5000):
        deep = {"a": deep}
    assert "nested" in (await failure(built, deep, context)).message


async def test_a_synchronous_function_runs_beside_the_loop_with_the_callers_variables(context):
    sample.VARIABLE.set("set")
    assert await run_tool(tool("where"), {}, context) == "weft-tool set"


@pytest.mark.parametrize(
    ("kind", "text"),
    [("any", "ZeroDivisionError: no"), ("exit", "SystemExit"), ("stop", "StopIteration"), ("silent", "SilentError")],
)
async def test_any_exception_is_an_observation(kind, text, context):
    error = await failure(tool("fails"), {"kind": kind}, context)
    assert text in error.message


async def test_an_exit_in_an_async_function_is_an_observation(context):
    assert "SystemExit" in (await failure(tool("async_exit"), {}, context)).message


async def test_secrets_are_masked_in_failures(context):
    context.secrets.resolve("TOKEN")
    error = await failure(tool("fails"), {"kind": "secret"}, context)
    assert error.message.endswith(f"the password is {MASK}")
    error = await failure(tool("greet"), {"json": "x", "schema": "tok-very-secret"}, context)
    assert "tok-very-secret" not in str(error.as_json())


async def test_long_messages_are_shortened(context):
    assert len((await failure(tool("fails"), {"kind": "long"}, context)).message) < 1100


async def test_an_async_tool_is_cancelled_at_its_limit(context):
    sample.SEEN.clear()
    error = await failure(tool("hangs", timeout_s=0.05), {}, context)
    assert error.ids["cause"] == "timeout"
    assert "0.05 s" in error.message
    assert sample.SEEN == ["cancelled"]


async def test_a_synchronous_tool_is_given_up_at_its_limit(context):
    sample.RELEASE.clear()
    start = time.monotonic()
    try:
        error = await failure(tool("blocks", timeout_ms=50), {}, context)
    finally:
        sample.RELEASE.set()
    assert error.ids["cause"] == "timeout"
    assert time.monotonic() - start < promised(5)


async def test_threads_that_never_return_are_bounded(context):
    sample.RELEASE.clear()
    built = tool("blocks", threads=Threads(limit=2), timeout_s=0.05)
    try:
        for _ in range(2):
            assert (await failure(built, {}, context)).ids["cause"] == "timeout"
        assert "still running" in (await failure(built, {}, context)).message
    finally:
        sample.RELEASE.set()


async def test_threads_are_given_back(context):
    built = tool("sleeps_briefly", threads=Threads(limit=1))
    for _ in range(20):
        assert await run_tool(built, {}, context) == "done"


async def test_a_thread_that_has_finished_takes_the_next_call():
    threads = Threads()
    used = [await threads.run(threading.get_ident) for _ in range(20)]
    assert len(set(used)) == 1


async def test_threads_without_work_end(monkeypatch):
    monkeypatch.setattr("weft.tools.threads._IDLE_S", 0.01)
    threads, before = Threads(), set(threading.enumerate())

    async def call(number: int) -> int:
        # The pauses lie around the time after which a thread gives up waiting, so that the two meet.
        await asyncio.sleep(number % 7 * 0.004)
        return await threads.run(lambda: number)

    assert await asyncio.gather(*map(call, range(60))) == list(range(60))
    while any(thread.name == "weft-tool" for thread in set(threading.enumerate()) - before):
        await asyncio.sleep(0.01)


async def test_a_timeout_of_the_tools_own_is_not_taken_for_ours(context):
    error = await failure(tool("own_timeout"), {}, context)
    assert error.ids["cause"] == "error"
    assert "the service said no" in error.message


@pytest.mark.parametrize("name", ["hangs", "blocks"])
async def test_cancellation_passes_through(name, context):
    sample.SEEN.clear()
    sample.RELEASE.clear()
    task = asyncio.create_task(run_tool(tool(name), {}, context))
    await asyncio.sleep(0.05)
    task.cancel()
    try:
        with pytest.raises(asyncio.CancelledError):
            await task
    finally:
        sample.RELEASE.set()


async def test_a_tool_that_cancels_itself_has_failed(context):
    assert "cancelled itself" in (await failure(tool("cancels_itself"), {}, context)).message


@pytest.mark.parametrize(
    ("what", "where"),
    [
        ("nan", "nan at /a/0"),
        ("inf", "inf"),
        ("bytes", "bytes at /b"),
        ("set", "set"),
        ("key", "int"),
        ("cycle", "nested"),
        ("huge", "bits"),
        ("object", "object"),
    ],
)
async def test_a_result_without_a_form_in_json_is_a_failure_that_says_where(what, where, context):
    assert where in (await failure(tool("returns"), {"what": what}, context)).message


@pytest.mark.parametrize(
    ("what", "result"),
    [
        ("point", {"x": 1, "y": 2.5}),
        ("path", "a/b"),
        ("tuple", [1, [2]]),
        ("surrogate", "a?b"),
        ("none", None),
    ],
)
async def test_a_result_becomes_plain_json(what, result, context):
    assert await run_tool(tool("returns"), {"what": what}, context) == result


async def test_secrets_are_masked_in_results(context):
    context.secrets.resolve("TOKEN")
    assert await run_tool(tool("returns"), {"what": "secret"}, context) == {MASK: [f"x {MASK} y"]}


async def test_a_long_text_is_cut_with_a_marker(context):
    result = await run_tool(tool("text", max_bytes=1024), {"size": 5000}, context)
    assert len(canonical.dumps(result)) <= 1024
    kept = result.count("ü")
    assert kept > 300
    assert result.endswith(f"[cut here: the first {kept} of 5000 characters]")


async def test_an_object_loses_only_the_end_of_its_longest_text(context):
    result = await run_tool(tool("table", max_bytes=1024), {"size": 5000}, context)
    assert (result["status"], result["note"]) == (200, "kept")
    assert "cut here" in result["body"]


async def test_other_results_are_shown_as_the_beginning_of_their_json(context):
    result = await run_tool(tool("numbers", max_bytes=1024), {"size": 5000}, context)
    assert result["truncated"] is True
    assert result["bytes"] == len(canonical.dumps(list(range(5000))))
    assert result["text"].startswith("[0,1,2,")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=30,
)


@given(JSON)
def test_json_stays_what_it_is(value):
    assert json_safe(value) == value
    assert limited(value, 10_000_000) == value


@given(JSON, st.integers(1024, 2000))
def test_a_limited_result_always_fits(value, limit):
    value = [value, "é\n" * 400]
    for big in (value, {"a": value, "text": "\x00" * 2000, "b": "x" * 700}, "\\" * 3000):
        assert len(canonical.dumps(limited(big, limit))) <= limit


def test_a_reconcile_tool_must_be_able_to_say():
    with pytest.raises(SpecError, match="reconcile"):
        tool("order", effect="reconcile")


async def test_a_reconcile_tool_says_whether_a_call_happened(context):
    built = tool("pay", effect="reconcile")
    assert built.effect_of({}) == "reconcile"
    assert await reconcile_tool(built, context) == {"paid": 5}
    assert await reconcile_tool(built, dataclasses.replace(context, key="key-2")) is None


async def test_other_tools_cannot_be_asked(context):
    with pytest.raises(ToolError, match="cannot say"):
        await reconcile_tool(tool("order"), context)


@pytest.mark.parametrize(
    ("definition", "error"),
    [
        ({"kind": "mcp"}, UnsupportedError),
        ({}, UnsupportedError),
        ({"kind": "builtin"}, UnsupportedError),
        ({"kind": "python", "callable": "weft_sample_tools:text", "effect": "twice"}, SpecError),
        ({"kind": "python", "callable": "weft_sample_tools:text", "timeout_s": 0}, SpecError),
        ({"kind": "python", "callable": "weft_sample_tools:text", "timeout_s": float("nan")}, SpecError),
        ({"kind": "python", "callable": "weft_sample_tools:text", "max_bytes": 10}, SpecError),
        ({"kind": "python"}, SpecError),
        ({"kind": "http"}, SpecError),
    ],
)
def test_a_wrong_definition_is_refused_with_its_place(definition, error):
    with pytest.raises(error) as caught:
        build_tools({"odd": definition}, allowed_modules=ALLOWED)
    assert caught.value.fix
    assert caught.value.place.pointer == "/tools/odd"


def test_a_function_of_a_file_is_taken_only_from_an_allowed_folder(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "own.py").write_text("def twice(n: int) -> int:\n    return 2 * n\n")
    (tmp_path / "out.py").write_text("def f() -> int:\n    raise SystemExit\n")
    (tmp_path / "in" / "link.py").symlink_to(tmp_path / "out.py")
    allowed = {"allowed_folders": [tmp_path / "in"]}
    own = {"t": {"kind": "python", "callable": f"{tmp_path}/in/own.py:twice"}}
    assert build_tools(own, **allowed)["t"].spec.input_schema["required"] == ["n"]
    with pytest.raises(PolicyError, match="its folder is not allowed"):
        build_tools(own)
    for name in ("out.py:f", "in/link.py:f", "in/../out.py:f"):
        with pytest.raises(PolicyError, match="its folder is not allowed"):
            build_tools({"t": {"kind": "python", "callable": f"{tmp_path}/{name}"}}, **allowed)
    with pytest.raises(SpecError, match="no function 'thrice'"):
        build_tools({"t": {"kind": "python", "callable": f"{tmp_path}/in/own.py:thrice"}}, **allowed)
    with pytest.raises(SpecError, match="there is no file"):
        build_tools({"t": {"kind": "python", "callable": f"{tmp_path}/in/absent.py:f"}}, **allowed)


def test_what_a_file_has_imported_is_no_tool_of_it(tmp_path):
    (tmp_path / "own.py").write_text(
        "from shutil import rmtree\nfrom functools import wraps\n\n\ndef f() -> int:\n    return 1\n\n\n"
        "@wraps(rmtree)\ndef g(path: str) -> None:\n    rmtree(path)\n"
    )
    allowed = {"allowed_folders": [tmp_path]}
    for name in ("rmtree", "g"):
        with pytest.raises(PolicyError, match="the module 'shutil' is not allowed"):
            build_tools({"t": {"kind": "python", "callable": f"{tmp_path}/own.py:{name}"}}, **allowed)
    named = {"t": {"kind": "python", "callable": f"{tmp_path}/own.py:rmtree"}}
    with pytest.raises(SpecError, match="no type hint"):
        build_tools(named, **allowed, allowed_modules=["shutil"])
    assert build_tools({"t": {"kind": "python", "callable": f"{tmp_path}/own.py:f"}}, **allowed)
