"""How many tokens messages take, about: estimated from their texts, and set right by what the provider has counted.

No tokenizer is downloaded. The estimate follows from the messages alone, so that a run that is resumed estimates the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic_ai.messages import ModelMessage, ModelMessagesTypeAdapter, ModelResponse

_PER_MESSAGE = 4
_ASCII_PER_TOKEN = 4
"""Letters of a token in English and in code, about."""
_BYTES_PER_TOKEN = 2
"""Bytes of a token in texts of other scripts, about: their letters take two to four bytes each."""
_LEAST, _MOST = 0.5, 3.0
_COUNTED = ("content", "args", "tool_name", "instructions")


def text_tokens(text: str) -> int:
    """How many tokens `text` takes, about."""
    size = len(text.encode(errors="replace"))
    plain = len(text) if size == len(text) else sum(letter < "\x80" for letter in text)
    return -(-plain // _ASCII_PER_TOKEN) + -(-(size - plain) // _BYTES_PER_TOKEN)


def estimate(messages: Sequence[ModelMessage]) -> int:
    """How many tokens `messages` take, about."""
    total = 0
    for message in ModelMessagesTypeAdapter.dump_python(list(messages), mode="json"):
        total += _PER_MESSAGE + sum(_value_tokens(part.get(name)) for part in message["parts"] for name in _COUNTED)
    return total


def calibration(messages: Sequence[ModelMessage], overhead: int) -> float:
    """By how much the estimate is wrong, as the last request shows that the provider has counted.

    `overhead` is the estimate of what goes along with each request besides its messages: instructions and tools.
    """
    for place in range(len(messages) - 1, -1, -1):
        message = messages[place]
        if isinstance(message, ModelResponse) and message.usage.input_tokens:
            guessed = estimate(messages[:place]) + overhead
            return min(max(message.usage.input_tokens / max(guessed, 1), _LEAST), _MOST)
    return 1.0


def _value_tokens(value: Any) -> int:
    if value is None:
        return 0
    return text_tokens(value if isinstance(value, str) else str(value))
