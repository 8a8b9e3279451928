"""The tool of the agent benchmark, in a module of its own so that it can be allowed."""


def double(n: int) -> int:
    """Twice the number."""
    return 2 * n
