"""The files that `weft init` makes a project from."""
