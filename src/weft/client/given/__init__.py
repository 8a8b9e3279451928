"""Written by scripts/client."""
