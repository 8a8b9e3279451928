"""The one HTTP client: egress rules, resolving that cannot be tricked, limits on size and time."""
