"""Plans as SVG, drawn by Graphviz where it is installed."""

from __future__ import annotations

import shutil
import subprocess

from weft.core.errors import StorageError, UnsupportedError
from weft.plan.diagram import dot
from weft.plan.nodes import Plan

LONGEST_S = 60
"""A picture that takes longer is given up."""


def svg(plan: Plan) -> str:
    """The plan as an SVG picture. Raises what `drawing` does."""
    return drawing(dot(plan))


def drawing(graph: str) -> str:
    """A Graphviz graph as an SVG picture.

    Raises:
        UnsupportedError: Graphviz is not installed.
        StorageError: Graphviz failed.
    """
    program = shutil.which("dot")
    if program is None:
        fix = "install Graphviz, or use --format dot and draw that elsewhere"
        raise UnsupportedError("an SVG needs the program `dot` of Graphviz, which is not on the PATH", fix=fix)
    try:
        done = subprocess.run(  # noqa: S603 -- a fixed program, fed with text that we made
            [program, "-Tsvg"], input=graph, capture_output=True, text=True, timeout=LONGEST_S, check=True
        )
    except subprocess.TimeoutExpired:
        raise StorageError(f"the program `dot` took longer than {LONGEST_S} s", fix="use --format dot") from None
    except (subprocess.CalledProcessError, OSError) as error:
        said = (getattr(error, "stderr", None) or str(error)).strip()[:300]
        raise StorageError(f"the program `dot` failed: {said}", fix="use --format dot") from error
    return done.stdout
