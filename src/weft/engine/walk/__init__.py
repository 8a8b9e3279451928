"""How each kind of node is walked: one function a kind, pure like the interpreter that calls them."""
