"""The built-in tools, through the registry and the runner."""

import ast
import operator
import os
import socket
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.examples import examples
from tests.waiting import promised

from weft.core.errors import ToolError, WeftError
from weft.tools.builtin.calculator import calculator
from weft.tools.builtin.jail import open_file, open_folder
from weft.tools.registry import BUILTINS, build_tools
from weft.tools.runner import run_tool

TOOLS = build_tools({name: {"kind": "builtin"} for name in BUILTINS}, python_exec=True)
READERS = ("file_read", "head", "tail", "grep", "list_files", "search")


async def use(name, context, **args):
    return await run_tool(TOOLS[name], args, context)


async def refused(name, context, **args):
    with pytest.raises(ToolError) as caught:
        await use(name, context, **args)
    assert caught.value.fix
    return caught.value


def test_every_built_in_describes_itself_and_its_arguments():
    for name, tool in TOOLS.items():
        assert len(tool.spec.description) > 20, name
        for argument, schema in tool.spec.input_schema["properties"].items():
            assert schema.get("description"), (name, argument)
    outside = {"duckduckgo_search", "file_write", "http_request", "tavily_search", "web_fetch"}
    assert {tool.spec.effect for name, tool in TOOLS.items() if name not in {*outside, "current_time"}} == {"pure"}
    assert {TOOLS[name].spec.effect for name in {*outside, "current_time"}} == {"idempotent", "once"}


def test_arguments_have_the_names_and_defaults_of_the_language():
    def defaults(name):
        return {key: value.get("default") for key, value in TOOLS[name].spec.input_schema["properties"].items()}

    assert defaults("grep") == {
        "pattern": None,
        "path": ".",
        "context_lines": 3,
        "ignore_case": False,
        "max_matches": 100,
    }
    assert defaults("head") == defaults("tail") == {"path": None, "lines": 10, "bytes_limit": None}
    assert defaults("file_read") == {"path": None, "encoding": "utf-8"}
    assert defaults("current_time") == {"format": "iso", "timezone": "utc"}
    assert defaults("calculator") == {"expression": None}


@pytest.fixture
def outside(workdir):
    """A secret beside the working folder, and every way in that a link can make."""
    beside = workdir.parent / "beside"
    beside.mkdir()
    (beside / "secret.txt").write_text("hush\n")
    (workdir / "sub").mkdir()
    (workdir / "sub" / "fine.txt").write_text("fine\n")
    (workdir / "link.txt").symlink_to(beside / "secret.txt")
    (workdir / "folder").symlink_to(beside)
    (workdir / "sub" / "up").symlink_to("../..")
    (workdir / "inner").symlink_to("sub")
    (workdir / "loop").symlink_to("loop")
    (workdir / "root").symlink_to("/")
    return beside


ESCAPES = [
    "../beside/secret.txt",
    "sub/../../beside/secret.txt",
    "link.txt",
    "folder/secret.txt",
    "folder",
    "sub/up/beside/secret.txt",
    "inner/fine.txt",
    "loop",
    "root/etc/passwd",
    "/etc/passwd",
    "/proc/self/environ",
    "//etc/passwd",
    "./../beside/secret.txt",
    "..",
    "sub/..",
    "../work/sub/fine.txt",
    "\0",
    "a\0b",
    "x" * 300,
    "x/" * 3000,
    "missing.txt",
    "sub/fine.txt/more",
    "\ud800",
]


@pytest.mark.parametrize("name", READERS)
async def test_no_reader_leaves_the_working_folder(name, context, workdir, outside):
    for path in [*ESCAPES, str(outside / "secret.txt"), str(workdir / "sub" / "fine.txt")]:
        extra = {"pattern": "hush"} if name == "grep" else {}
        error = await refused(name, context, path=path, **extra)
        assert "hush" not in error.message


@pytest.mark.parametrize("path", ["link.txt", "folder/secret.txt", "inner/fine.txt", "loop"])
async def test_a_symbolic_link_is_called_one(path, context, outside):
    assert "symbolic link" in (await refused("file_read", context, path=path)).message


async def test_links_are_left_out_of_what_folders_hold(context, outside):
    assert await use("list_files", context) == "sub/fine.txt  5"
    assert await use("grep", context, pattern="hush") == "no line matches"


async def test_pipes_sockets_and_devices_are_never_read(context, workdir, monkeypatch):
    os.mkfifo(workdir / "pipe")
    listener = socket.socket(socket.AF_UNIX)
    try:
        monkeypatch.chdir(workdir)  # the path of a socket may be only a hundred characters long
        listener.bind("socket")
        start = time.monotonic()
        for name in ("file_read", "head", "tail", "grep"):
            extra = {"pattern": "x"} if name == "grep" else {}
            for path in ("pipe", "socket"):
                assert "regular file" in (await refused(name, context, path=path, **extra)).message
        assert await use("list_files", context) == "no files"
        assert await use("grep", context, pattern="x") == "no line matches"
        assert time.monotonic() - start < promised(20)
    finally:
        listener.close()


@pytest.mark.slow
def test_a_device_is_not_opened(tmp_path):
    with pytest.raises(WeftError, match="regular file"), open_file("/dev", "null"):
        pass


def test_a_folder_that_becomes_a_link_after_it_was_checked_is_not_followed(workdir, outside, monkeypatch):
    real = os.open

    def swapping(name, flags, *args, **rest):
        if name == "sub":
            (workdir / "sub").rename(workdir / "was")
            (workdir / "sub").symlink_to(outside)
        return real(name, flags, *args, **rest)

    monkeypatch.setattr(os, "open", swapping)
    with pytest.raises(WeftError), open_file(workdir, "sub/secret.txt"):
        pass


def test_a_file_that_becomes_a_link_or_a_pipe_after_it_was_checked_is_not_read(workdir, outside, monkeypatch):
    real = os.open
    target = workdir / "sub" / "fine.txt"

    def swapping(how):
        def open_swapped(name, flags, *args, **rest):
            if name == "fine.txt":
                target.unlink()
                how()
            return real(name, flags, *args, **rest)

        return open_swapped

    for how in (lambda: target.symlink_to(outside / "secret.txt"), lambda: os.mkfifo(target)):
        monkeypatch.setattr(os, "open", swapping(how))
        with pytest.raises(WeftError), open_file(workdir, "sub/fine.txt"):
            pass
        monkeypatch.setattr(os, "open", real)
        target.unlink()
        target.write_text("fine\n")


PART = st.sampled_from(["..", ".", "", "sub", "fine.txt", "folder", "link.txt", "up", "inner", "root", "etc", "beside"])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(parts=st.lists(PART, max_size=8), prefix=st.sampled_from(["", "/", "./"]))
def test_whatever_opens_lies_in_the_working_folder(parts, prefix, workdir, outside):
    path = prefix + "/".join(parts)
    inside = os.path.realpath(workdir)
    try:
        with open_file(workdir, path) as file:
            opened = os.path.realpath(f"/proc/self/fd/{file.fileno()}")
    except WeftError:
        pass
    else:
        assert opened.startswith(inside + os.sep)
    try:
        with open_folder(workdir, path) as folder:
            opened = os.path.realpath(f"/proc/self/fd/{folder}")
    except WeftError:
        return
    assert opened == inside or opened.startswith(inside + os.sep)


def open_descriptors():
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_no_descriptor_is_left_open(context, workdir, outside):
    (workdir / "a.txt").write_text("a")
    before = open_descriptors()
    for _ in range(5):
        for path in ("a.txt", "sub/fine.txt", "folder/secret.txt", "missing", "sub/missing", "sub"):
            try:
                await use("file_read", context, path=path)
            except ToolError:
                pass
        await use("list_files", context)
    assert open_descriptors() <= before


async def test_a_file_is_read(context, workdir):
    (workdir / "a.txt").write_text("grüße\nzwei\n")
    assert await use("file_read", context, path="a.txt") == "grüße\nzwei\n"
    assert await use("file_read", context, path="./a.txt") == "grüße\nzwei\n"


async def test_other_encodings_are_read_when_they_are_named(context, workdir):
    (workdir / "latin").write_bytes("grüße".encode("latin-1"))
    (workdir / "wide").write_bytes("grüße".encode("utf-16"))
    assert "encoding" in (await refused("file_read", context, path="latin")).fix
    assert await use("file_read", context, path="latin", encoding="Latin-1") == "grüße"
    assert await use("file_read", context, path="wide", encoding="utf-16") == "grüße"
    for encoding in ("rot13", "zip", "idna", "unicode_escape", "nonsense", "\0", ""):
        assert "encoding" in (await refused("file_read", context, path="latin", encoding=encoding)).message


@pytest.mark.parametrize("name", ["file_read", "head", "tail", "grep"])
async def test_a_binary_file_is_called_one(name, context, workdir):
    (workdir / "b").write_bytes(b"\x7fELF\0\0\0hush")
    extra = {"pattern": "hush"} if name == "grep" else {}
    assert "binary" in (await refused(name, context, path="b", **extra)).message


async def test_a_large_file_is_cut_between_characters_and_says_so(context, workdir):
    (workdir / "big").write_bytes("aü".encode() * 700_000)
    (tool,) = build_tools({"file_read": {"kind": "builtin", "max_bytes": 4_000_000}}).values()
    result = await run_tool(tool, {"path": "big"}, context)
    assert "\N{REPLACEMENT CHARACTER}" not in result
    assert result.endswith("[cut here: the first 1048576 of 2100000 bytes; grep and tail reach the rest]")
    assert len((await use("file_read", context, path="big")).encode()) <= 256 * 1024


async def test_head_and_tail_give_whole_lines(context, workdir):
    (workdir / "n").write_text("".join(f"line {n}\n" for n in range(1, 101)))
    (workdir / "open").write_text("a\nb\nc")
    (workdir / "empty").write_text("")
    assert await use("head", context, path="n", lines=2) == "line 1\nline 2\n"
    assert await use("tail", context, path="n", lines=2) == "line 99\nline 100\n"
    assert await use("head", context, path="open") == await use("tail", context, path="open") == "a\nb\nc"
    assert await use("tail", context, path="open", lines=1) == "c"
    assert await use("head", context, path="open", lines=2) == "a\nb\n"
    assert await use("head", context, path="empty") == await use("tail", context, path="empty") == ""
    assert (
        (await use("head", context, path="n")).count("\n") == (await use("tail", context, path="n")).count("\n") == 10
    )


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=examples(50))
@given(text=st.text(alphabet="ab\nü", max_size=40), lines=st.integers(1, 12))
async def test_head_and_tail_agree_with_the_lines_of_the_file(text, lines, context, workdir):
    (workdir / "t").write_text(text)
    every = text.splitlines(keepends=True)
    assert await use("head", context, path="t", lines=lines) == "".join(every[:lines])
    assert await use("tail", context, path="t", lines=lines) == "".join(every[-lines:])


async def test_bytes_limit_cuts_and_says_so(context, workdir):
    (workdir / "long").write_text("x" * 5000 + "\nend\n")
    assert await use("head", context, path="long", bytes_limit=100) == "x" * 100 + "\n[cut here: at 100 bytes]"
    assert await use("tail", context, path="long", bytes_limit=10) == "[cut here: the last 10 bytes]\nxxxxx\nend\n"
    assert await use("tail", context, path="long", lines=1, bytes_limit=10) == "end\n"
    for bad in (0, -1, 10**9):
        await refused("head", context, path="long", bytes_limit=bad)
        await refused("tail", context, path="long", lines=bad)


async def test_files_are_listed_in_order_with_sizes(context, workdir):
    for name in ("b.md", "a.txt", "docs/c.md", "docs/deep/d.md", ".hidden", ".git/config"):
        (workdir / name).parent.mkdir(parents=True, exist_ok=True)
        (workdir / name).write_text(name)
    assert await use("list_files", context) == "a.txt  5\nb.md  4\ndocs/c.md  9\ndocs/deep/d.md  14"
    assert await use("list_files", context, path="docs") == "docs/c.md  9\ndocs/deep/d.md  14"
    assert await use("list_files", context, pattern="*.md", max_results=2) == (
        "b.md  4\ndocs/c.md  9\n[cut here: after 2 files]"
    )
    assert await use("list_files", context, pattern="docs/deep/*") == "docs/deep/d.md  14"
    assert await use("list_files", context, pattern="nothing") == "no files"


async def test_a_pattern_of_many_stars_is_no_trap(context, workdir):
    (workdir / ("a" * 200)).write_text("")
    start = time.monotonic()
    assert await use("list_files", context, pattern="*a" * 99 + "b") == "no files"
    assert time.monotonic() - start < promised(5)


async def test_very_deep_folders_do_not_exhaust_the_search(context, workdir):
    deep = workdir
    for _ in range(60):
        deep /= "d"
        deep.mkdir()
    (deep / "lost.txt").write_text("needle")
    (workdir / "found.txt").write_text("needle")
    assert await use("list_files", context) == "found.txt  6"
    assert "found.txt:1:needle" in await use("grep", context, pattern="needle")


async def test_grep_shows_matches_with_lines_around(context, workdir):
    (workdir / "n.txt").write_text("".join(f"line {n}\n" for n in range(1, 21)))
    assert await use("grep", context, pattern=r"line (5|12)$", path="n.txt", context_lines=1) == (
        "n.txt-4-line 4\nn.txt:5:line 5\nn.txt-6-line 6\n--\nn.txt-11-line 11\nn.txt:12:line 12\nn.txt-13-line 13"
    )
    assert await use("grep", context, pattern="LINE 7", path="n.txt", context_lines=0) == "no line matches"
    assert await use("grep", context, pattern="LINE 7", path="n.txt", context_lines=0, ignore_case=True) == (
        "n.txt:7:line 7"
    )


async def test_grep_searches_folders_and_skips_what_is_no_text(context, workdir):
    (workdir / "sub").mkdir()
    (workdir / "a.txt").write_text("needle here")
    (workdir / "sub" / "b.txt").write_text("a\nneedle there\r\n")
    (workdir / "sub" / "bin").write_bytes(b"\0needle")
    found = await use("grep", context, pattern="needle", context_lines=0)
    assert found == "a.txt:1:needle here\nsub/b.txt:2:needle there"
    assert await use("grep", context, pattern="needle", path="sub", context_lines=0) == "sub/b.txt:2:needle there"


@pytest.mark.slow
async def test_grep_says_when_it_left_something_out(context, workdir):
    (workdir / "many").write_text("x\n" * 50)
    (workdir / "sub").mkdir()
    (workdir / "sub" / "big").write_bytes(b"y\n" * 3_000_000)
    assert "[cut here: after 5 matches]" in await use("grep", context, pattern="x", path="many", max_matches=5)
    assert "left out" in await use("grep", context, pattern="y", path="sub")
    assert "[cut here: after 5 matches]" in await use("grep", context, pattern="y", path="sub/big", max_matches=5)


async def test_a_pattern_that_is_no_regular_expression_is_explained(context, workdir):
    (workdir / "a").write_text("a")
    for pattern in ("(", "*", "[", "(?P<x", "a{99999999999}"):
        assert "regular expression" in (await refused("grep", context, pattern=pattern, path="a")).message
    await refused("grep", context, pattern="", path="a")
    await refused("grep", context, pattern="a" * 1001, path="a")


@pytest.mark.slow
async def test_a_catastrophic_pattern_is_cut_off(context, workdir):
    (workdir / "a").write_text("a" * 60 + "b\n")
    start = time.monotonic()
    error = await refused("grep", context, pattern=r"^(a+)+$", path="a")
    assert "took longer than 5 s" in error.message
    assert time.monotonic() - start < promised(15)


async def test_the_matcher_knows_nothing_of_our_environment(context, workdir, monkeypatch, tmp_path):
    (tmp_path / "json.py").write_text("raise SystemExit(9)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    (workdir / "a").write_text("needle")
    assert await use("grep", context, pattern="needle", path="a") == "a:1:needle"


async def test_the_time_comes_from_the_runs_clock(context):
    assert await use("current_time", context) == "2026-11-21T05:28:00+00:00"
    assert await use("current_time", context, format="unix") == "1795238880"
    assert await use("current_time", context, format="human") == "Saturday, 21 November 2026, 05:28:00 UTC"
    await refused("current_time", context, timezone="Mars")


async def test_local_time_names_its_offset(context, monkeypatch):
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        assert await use("current_time", context, timezone="local") == "2026-11-21T00:28:00-05:00"
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("1 + 2 * 3", 7),
        ("(2 + 3) * 4.5", 22.5),
        ("7 // 2", 3),
        ("-7 % 3", 2),
        ("2 ** 10", 1024),
        ("2 ** -1", 0.5),
        ("-2 ** 2", -4),
        ("9 \u2212 4 \u00d7 2 \u00f7 8", 8.0),
        (" 1_000 + 0x10 ", 1016),
        ("0 ** 0", 1),
        ("1e3", 1000.0),
        ("--5", 5),
    ],
)
async def test_the_calculator_calculates(expression, value, context):
    result = await use("calculator", context, expression=expression)
    assert (result, type(result)) == (value, type(value))


@pytest.mark.parametrize(
    "expression",
    [
        "9**9**9",
        "9**9**9**9",
        "(-9)**9**9",
        "2**10000",
        "(2**4000)*(2**4000)",
        "1e308*10",
        "10.0**400",
        "(10**400)/3",
        "1/0",
        "1%0",
        "0**-1",
        "(-8)**0.5",
        "1j",
        "True",
        "'a'*9",
        "[1]*9",
        "x",
        "abs(-1)",
        "().__class__",
        "__import__('os')",
        "1 if 1 else 2",
        "1 < 2",
        "1,2",
        "2^3",
        "~1",
        "1<<99",
        "(yield)",
        "lambda: 1",
        "f'{1}'",
        "1;2",
        "",
        " ",
        "(" * 250 + "1" + ")" * 249,
        "(" * 200,
        "-" * 499 + "1" * 2,
        "1" * 501,
        "1\n2",
        "\0",
        "nan",
    ],
)
async def test_the_calculator_refuses_everything_else_at_once(expression, context):
    start = time.monotonic()
    await refused("calculator", context, expression=expression)
    assert time.monotonic() - start < promised(2)


OPERATORS = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "//": operator.floordiv,
    "%": operator.mod,
    "**": operator.pow,
}
NUMBER = st.integers(0, 99).map(str) | st.floats(0, 99).map(lambda value: f"{value:.3f}")
EXPRESSION = st.recursive(
    NUMBER,
    lambda inner: (
        st.tuples(inner, st.sampled_from(sorted(OPERATORS)), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})")
        | inner.map(lambda e: f"-{e}")
    ),
    max_leaves=6,
)


@given(EXPRESSION)
async def test_the_calculator_agrees_with_python(expression):
    try:
        value = await calculator(expression)
    except ToolError:
        return
    assert value == eval(compile(ast.parse(expression, mode="eval"), "", "eval"), {"__builtins__": {}})


@given(st.text(alphabet="0123456789+-*/%(). ex_jabcl[]{},'\"\n", max_size=80))
async def test_the_calculator_always_ends_in_a_number_or_an_error_of_ours(expression):
    try:
        assert isinstance(await calculator(expression), int | float)
    except ToolError as error:
        assert error.fix


async def test_a_built_in_tool_may_go_by_another_name(context) -> None:
    (tool,) = build_tools({"find": {"kind": "builtin", "builtin": "calculator"}}).values()
    assert tool.spec.name == "find"
    assert await run_tool(tool, {"expression": "2+2"}, context) is not None
