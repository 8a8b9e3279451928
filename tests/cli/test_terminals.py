"""Terminals, pipes and locales of every kind."""

import errno
import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from tests.cli.conftest import steps


def on_terminal(weft, *args, columns=80, rows=24, typed=b"", **environment):
    """Run a command on a terminal of that size; its exit code and everything that it wrote there."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ.update({"TERM": "xterm-256color", **environment})
        os.chdir(weft.folder)
        os.execv(sys.executable, [sys.executable, "-m", "weft", *args])
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    os.write(terminal, typed)
    written = b""
    while True:
        try:
            chunk = os.read(terminal, 65_536)
        except OSError as error:
            assert error.errno == errno.EIO
            break
        if not chunk:
            break
        written += chunk
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), written.decode(errors="replace")


@pytest.mark.slow
def test_a_terminal_gets_a_live_tree_and_the_result(weft):
    weft.write("flow.yaml", steps(("one", 0), ("two", 0.5)))
    code, written = on_terminal(weft, "run", "flow.yaml")
    assert code == 0
    assert "two slept" in written
    assert "running" in written
    assert "\x1b[?25h" in written, "the cursor is shown again"


@pytest.mark.slow
def test_a_narrow_and_low_terminal_is_no_harm(weft):
    weft.write("flow.yaml", steps(*((f"step-with-a-long-name-{place}", 0) for place in range(20)), ("last", 0.3)))
    code, written = on_terminal(weft, "run", "flow.yaml", columns=20, rows=5)
    assert code == 0
    assert "last slept" in written.replace("\r\n", "")
    code, _ = on_terminal(weft, "runs", "list", columns=20, rows=5)
    assert code == 0
    code, _ = on_terminal(weft, "show", "last", columns=20, rows=5)
    assert code == 0


@pytest.mark.slow
def test_no_color_takes_colours_away(weft):
    weft.write("flow.yaml", steps(("one", -1)))
    _, colourful = on_terminal(weft, "validate", "nowhere.yaml")
    _, plain = on_terminal(weft, "validate", "nowhere.yaml", NO_COLOR="1")
    assert "\x1b[" in colourful
    assert "\x1b[" not in plain


@pytest.mark.slow
def test_a_dumb_terminal_gets_plain_lines(weft):
    weft.write("flow.yaml", steps(("one", 0)))
    code, written = on_terminal(weft, "run", "flow.yaml", TERM="dumb")
    assert code == 0
    assert "\x1b" not in written
    assert "begin   /one" in written


@pytest.mark.slow
def test_ask_asks_for_what_is_missing(weft):
    flow = steps(("one", 0)).replace("name: one, sec", "name: '{{ who }}', sec")
    weft.write("flow.yaml", flow + "inputs: {required: {who: {type: string, description: the name}}}\n")
    code, written = on_terminal(weft, "run", "flow.yaml", "--ask", "--quiet", typed=b"Ada\n")
    assert code == 0
    assert "who (the name)" in written
    assert "Ada slept" in written


@pytest.mark.slow
def test_a_reader_that_leaves_ends_the_command_quietly(weft):
    weft.write("flow.yaml", steps(*((f"step-{place}", 0) for place in range(60))))
    assert weft("run", "flow.yaml", "--quiet").code == 0
    for command in (["events", "last", "--follow"], ["show", "last"], ["events", "last", "--json"]):
        read, write = os.pipe()
        os.close(read)
        process = weft.start(*command, stdout=write)
        os.close(write)
        said = weft.finish(process)
        assert (said.code, said.err) == (141, ""), command


@pytest.mark.slow
def test_a_run_goes_on_when_nobody_reads_its_progress(weft):
    weft.write("flow.yaml", steps(("one", 0), ("two", 0)))
    read, write = os.pipe()
    os.close(read)
    process = weft.start("run", "flow.yaml", stderr=write)
    os.close(write)
    out, _ = process.communicate(timeout=60)
    assert (process.returncode, out) == (0, "two slept\n")
    assert weft.effects() == ["one", "two"]


@pytest.mark.slow
def test_a_locale_without_unicode_is_no_harm(weft):
    weft.write("flow.yaml", steps(("one", 0)).replace("name: one, sec", 'name: "Zoë ☃", sec'))
    ascii_only = {
        **os.environ,
        "LC_ALL": "C",
        "PYTHONUTF8": "0",
        "PYTHONCOERCECLOCALE": "0",
        "PYTHONIOENCODING": "ascii",
    }
    said = weft.finish(weft.start("run", "flow.yaml", env=ascii_only))
    assert said.code == 0, said.err
    assert said.out == "Zo\\xeb \\u2603 slept\n"
    as_json = weft.finish(weft.start("show", "last", "--json", env=ascii_only))
    assert as_json.json["outputs"]["response"] == "Zoë ☃ slept"
    assert weft.finish(weft.start("show", "last", env=ascii_only)).code == 0


@pytest.mark.slow
def test_a_closed_standard_input_is_no_harm(weft):
    weft.write("flow.yaml", steps(("one", 0)))
    said = weft.finish(weft.start("run", "flow.yaml", "--quiet", stdin=subprocess.DEVNULL))
    assert (said.code, said.out) == (0, "one slept\n")


@pytest.mark.slow
@pytest.mark.parametrize("closed", ["1", "2", "0 1 2"])
def test_streams_that_were_closed_before_the_start_are_no_harm(weft, closed):
    weft.write("flow.yaml", steps(("one", 0)))
    closing = " ".join(f"{number}>&-" for number in closed.split())
    shell = f'exec "{sys.executable}" -m weft run flow.yaml --ask {closing}'
    ended = subprocess.run(
        ["/bin/sh", "-c", shell], cwd=weft.folder, capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert "Traceback" not in ended.stderr
    assert ended.stdout == ("one slept\n" if closed == "2" else "")
    assert weft("verify", "last").code == 0


@pytest.mark.slow
@pytest.mark.parametrize("command", ["run flow.yaml --quiet", "--help", "schema", "doctor", "show nothing --json"])
def test_an_output_that_is_full_is_said_and_is_no_defect(weft, command):
    weft.write("flow.yaml", steps(("one", 0)))
    with Path("/dev/full").open("w") as full:
        said = weft.finish(weft.start(*command.split(), stdout=full))
    assert said.code == 12
    assert said.err.startswith("error: the output cannot be written: No space left on device")
    assert said.err.count("\n") == 2
