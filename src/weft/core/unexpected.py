"""Exceptions that nobody expected, as texts."""


def described(error: BaseException) -> str:
    """The exception with its kind, also when it cannot be made a text."""
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 -- an exception whose text fails has no text
        text = ""
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
