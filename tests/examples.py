"""How many examples a property is tried with."""

from hypothesis import settings

_USUAL = 100


def examples(count: int) -> int:
    """`count`, or its share of it where the fast suite tries everything with fewer."""
    return max(count * settings.get_profile(settings.get_current_profile_name()).max_examples // _USUAL, 5)
