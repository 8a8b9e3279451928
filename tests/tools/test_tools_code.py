"""`python_exec`: what code that an agent wrote can do, and what it cannot."""

import os
import subprocess
import time

import pytest
from tests.waiting import promised, until

from weft.core.errors import ToolError
from weft.testing.loopback import LoopbackServer, Reply
from weft.tools.registry import build_tools
from weft.tools.runner import run_tool

pytestmark = pytest.mark.slow

TOOL = build_tools({"python_exec": {"kind": "builtin"}}, python_exec=True)["python_exec"]


async def execute(context, code, **rest):
    return await run_tool(TOOL, {"code": code, **rest}, context)


async def test_it_is_described_but_refuses_every_call_unless_a_setting_allows_it(context):
    denied = build_tools({"python_exec": {"kind": "builtin"}})["python_exec"]
    assert denied.spec.input_schema == TOOL.spec.input_schema
    with pytest.raises(ToolError, match="may not run code") as caught:
        await run_tool(denied, {"code": "open('ran', 'w')"}, context)
    assert "tools.python_exec" in caught.value.fix
    assert not (context.workdir / "ran").exists()


async def test_what_is_printed_comes_back(context):
    result = await execute(context, "import math\nprint(math.floor(2.5))\nimport sys; print('e', file=sys.stderr)")
    assert (result["exit_code"], result["stdout"], result["stderr"]) == (0, "2\n", "e\n")
    failed = await execute(context, "print('so far')\n1 / 0")
    assert (failed["exit_code"], failed["stdout"]) == (1, "so far\n")
    assert "ZeroDivisionError" in failed["stderr"]
    assert "cell.py" not in failed["stderr"]
    assert (await execute(context, "raise SystemExit(7)"))["exit_code"] == 7


async def test_the_environment_and_the_working_folder_are_not_there(context, workdir, monkeypatch):
    monkeypatch.setenv("MY_API_KEY", "very-secret")
    (workdir / "note.txt").write_text("x")
    result = await execute(context, "import os; print(sorted(os.environ), os.listdir('.'))")
    assert result["stdout"] in {"[] []\n", "['LC_CTYPE'] []\n"}


async def test_memory_files_and_output_are_limited(context):
    assert "MemoryError" in (await execute(context, "x = bytearray(2_000_000_000)"))["stderr"]
    assert "File too large" in (await execute(context, "open('f', 'wb').write(b'a' * 100_000_000)"))["stderr"]
    assert len((await execute(context, "print('a' * 1_000_000)"))["stdout"]) < 70_000


@pytest.mark.parametrize("code", ["while True: pass", "import time; time.sleep(60)", "import signal\nsignal.pause()"])
async def test_it_is_stopped_at_its_time(code, context):
    start = time.monotonic()
    with pytest.raises(ToolError, match="took longer"):
        await execute(context, code, timeout=0.5)
    assert time.monotonic() - start < promised(6)


async def test_processes_that_it_starts_die_with_it(context):
    mark = f"weft-orphan-{os.getpid()}"
    code = f"import subprocess, sys\nsubprocess.Popen([sys.executable, '-c', 'import time; time.sleep(50)', '{mark}'], start_new_session=True)\nimport time; time.sleep(50)"
    with pytest.raises(ToolError):
        await execute(context, code, timeout=1)
    # Whoever is killed takes a moment to go.
    until(lambda: mark not in subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout)


async def test_there_is_no_network_where_the_kernel_allows(context):
    async with LoopbackServer(lambda _: Reply(body=b"reached")) as server:
        code = f"import urllib.request as u\nprint(u.urlopen('{server.url}', timeout=2).read())"
        result = await execute(context, code)
    assert "network" in result.get("not_isolated", []) or "reached" not in result["stdout"]
    assert server.requests == [] or "network" in result["not_isolated"]


async def test_files_of_others_are_not_read_where_the_kernel_allows(context, tmp_path):
    (tmp_path / "secret").write_text("very secret")
    result = await execute(context, f"print(open({str(tmp_path / 'secret')!r}).read())")
    assert "files" in result.get("not_isolated", []) or "PermissionError" in result["stderr"]
    written = await execute(context, f"open({str(tmp_path / 'new')!r}, 'w')")
    assert "files" in written.get("not_isolated", []) or not (tmp_path / "new").exists()
