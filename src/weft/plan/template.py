"""The template language as the rooms above see it; expressions and texts of a plan are written in it."""

from weft.spec.template import evaluate, is_template, render, render_value

__all__ = ["evaluate", "is_template", "render", "render_value"]
