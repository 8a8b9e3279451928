"""Commands of ours as processes of their own, without the seconds that their imports take.

A test that starts the service or a command wants a real process: with its own memory, killed and frozen by real signals.
It does not want to load the same modules for the hundredth time. So each worker of the tests has one process that loaded
them once (`tests.processes.nursery`), and each start is a fork of it. `tests/cli/test_starting.py` starts the interpreter anew, as
users do.
"""

from tests.processes.started import PIPE, Said, Started, command, start, write_program

__all__ = ["PIPE", "Said", "Started", "command", "start", "write_program"]
