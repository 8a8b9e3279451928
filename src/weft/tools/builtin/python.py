"""Running Python code that an agent wrote, in a process that has given up what it does not need. Off unless a setting allows it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import tempfile
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from weft.core.errors import ToolError
from weft.tools.port import ToolContext

_CELL = Path(__file__).with_name("cell.py")
_MEMORY = 512 * 1024 * 1024
_FILE = 8 * 1024 * 1024
_SHOWN = 64 * 1024
_HELD = 4096
_LEAST_S, _MOST_S = 0.1, 25.0


async def python_exec(
    context: ToolContext,
    code: Annotated[str, Field(min_length=1, max_length=200_000)],
    timeout: Annotated[float, Field(ge=_LEAST_S, le=_MOST_S)] = 10,  # noqa: ASYNC109 -- the name that workflows know
) -> dict[str, Any]:
    """Run Python code (standard library only) in a fresh process and folder. Print what you want to know.

    The result has exit_code, stdout and stderr. There is no network, and nothing is kept from call to call.

    Args:
        context: What the call may use.
        code: The code.
        timeout: Seconds that it may take.
    """
    del context
    with tempfile.TemporaryDirectory(prefix="weft-python-", ignore_cleanup_errors=True) as folder:
        return await _run(Path(folder), code, timeout)


async def _run(folder: Path, code: str, seconds: float) -> dict[str, Any]:
    scratch, source = folder / "work", folder / "code.py"
    scratch.mkdir()
    source.write_text(code, encoding="utf-8", errors="replace")
    hear, held = os.pipe()
    limits = {"cpu": int(seconds) + 1, "memory": _MEMORY, "file": _FILE, "held": held}
    try:
        with (folder / "out").open("wb") as out, (folder / "err").open("wb") as err:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-S", "-B", "-X", "utf8", str(_CELL), str(source), json.dumps(limits)),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                cwd=scratch,
                env={},
                pass_fds=(held,),
                start_new_session=True,
            )
    except OSError as error:
        os.close(hear)
        raise ToolError(f"the process cannot be started: {error.strerror}", fix="try again later") from error
    finally:
        os.close(held)
    late = False
    try:
        await asyncio.wait_for(process.wait(), seconds)
    except TimeoutError:
        late = True
    finally:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
        grants = os.read(hear, _HELD)
        os.close(hear)
    if late:
        raise ToolError(f"the code took longer than {seconds:g} s", fix="make it do less, or raise the timeout")
    result: dict[str, Any] = {
        "exit_code": process.returncode,
        "stdout": _text(folder / "out"),
        "stderr": _text(folder / "err"),
    }
    open_ = [name for name, reachable in (json.loads(grants) if grants else {}).items() if reachable]
    return result | ({"not_isolated": open_} if open_ else {})


def _text(file: Path) -> str:
    with file.open("rb") as stream:
        data = stream.read(_SHOWN + 1)
    text = data[:_SHOWN].decode(errors="replace")
    return text if len(data) <= _SHOWN else f"{text}\n[cut here: at {_SHOWN} bytes]"
