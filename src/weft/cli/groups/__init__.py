"""The commands, one module a group. `weft.cli.commands` is the table that names them."""
