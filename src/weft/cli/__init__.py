"""The command line: one module a command group, loaded when one of its commands is used."""
