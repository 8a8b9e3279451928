"""``weft version``."""

from __future__ import annotations

import platform

from weft import __version__
from weft.cli.options import AsJson
from weft.cli.terminal import say, say_json


def version(as_json: AsJson = False) -> None:
    """Print the version of Weft and of the Python that it runs on."""
    if as_json:
        say_json({"weft": __version__, "python": platform.python_version()})
    else:
        say(f"weft {__version__} (Python {platform.python_version()})")
