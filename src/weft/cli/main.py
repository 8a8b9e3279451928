"""The entry point: a command line in, an exit code out, whatever happens in between."""

from __future__ import annotations

import errno
import gc
import os
import sys
import threading
from collections.abc import Sequence

import typer

from weft.cli.commands import COMMANDS, FAILURE
from weft.cli.group import root
from weft.cli.server import NAMED, taken
from weft.cli.terminal import let_go, prepare_streams, say_json, tell
from weft.core.errors import EXIT_CODES, StorageError

_INTERRUPTED = 130
_BROKEN_PIPE = 141
_FULL = {errno.ENOSPC, errno.EFBIG, errno.EDQUOT, errno.EIO}
"""How a file says that it takes nothing more; those of ours are in the care of the store, so this is the output."""


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line `argv` (that of the process by default) and exit."""
    args = sys.argv[1:] if argv is None else argv
    entry = next((COMMANDS[arg] for arg in args if arg in COMMANDS), None)
    if entry is not None and not entry.brief:
        code = execute(args)
        if any(not thread.daemon for thread in threading.enumerate() if thread is not threading.main_thread()):
            # It sits in a request of a client's library that was given up; an ordinary exit would wait for the answer.
            sys.stderr.flush()
            os._exit(code)
        sys.exit(code)
    # Most of the time of a brief command is start and end: no garbage is collected, no plugins are looked for, and the
    # interpreter is not taken down piece by piece.
    gc.disable()
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "1")
    code = execute(args)
    sys.stderr.flush()
    os._exit(code)


def execute(argv: Sequence[str]) -> int:
    """Run the command line `argv` and return its exit code."""
    prepare_streams()
    os.environ.setdefault("PYDANTIC_AI_NO_BANNER", "1")
    args = list(argv)
    options = args[: args.index("--") if "--" in args else None]
    try:
        args, named = taken(args, tuple(COMMANDS))
        NAMED.set(named)
        command = root()
        # Not through its main(), which has ideas of its own about broken pipes.
        with command.make_context("weft", args) as ctx:
            code = command.invoke(ctx)
        sys.stdout.flush()
    except typer.Exit as left:
        return left.exit_code
    except (KeyboardInterrupt, typer.Abort):
        return _INTERRUPTED
    except BrokenPipeError:
        let_go(sys.stdout)
        return _BROKEN_PIPE
    except Exception as error:  # noqa: BLE001 -- the one place that may catch everything: nobody is to see a traceback
        return _failed(error, as_json="--json" in options, debug="--debug" in options)
    return code if isinstance(code, int) else 0


def _unwritten(error: OSError) -> StorageError:
    fix = "make room, or send it elsewhere; the result of a run is kept, and `weft show last` prints it"
    return StorageError(f"the output cannot be written: {error.strerror}", fix=fix)


def _incomplete(package: str, *, as_json: bool) -> int:
    """Said without the parts that print errors otherwise, for they may be what cannot be loaded."""
    message = f"this installation of Weft is not whole: its package {package!r} is missing"
    fix = "install Weft again; in a checkout, remove .venv and run the make command again"
    if as_json:
        say_json({"error": {"code": StorageError.code, "message": message, "fix": fix}})
    else:
        tell(f"error: {message}\n  fix: {fix}")
    return EXIT_CODES[StorageError.code]


def _failed(error: Exception, *, as_json: bool, debug: bool) -> int:
    if isinstance(error, OSError) and error.errno in _FULL and error.filename is None:
        let_go(sys.stdout)
        error, as_json = _unwritten(error), False
    missing = error.name.partition(".")[0] if isinstance(error, ModuleNotFoundError) and error.name else "weft"
    if missing != "weft" and not debug:
        return _incomplete(missing, as_json=as_json)
    try:
        code: int = FAILURE.load()(error, as_json=as_json, debug=debug)
        sys.stdout.flush()
    except BrokenPipeError:
        let_go(sys.stdout)
        return _BROKEN_PIPE
    except OSError as unwritten:
        return _failed(unwritten, as_json=False, debug=debug)
    return code
