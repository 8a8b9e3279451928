"""How things look on a terminal, one module a kind of thing."""
