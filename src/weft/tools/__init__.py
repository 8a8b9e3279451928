"""Reach a tool: the port, the registry, the runner, and tools made of Python functions, HTTP services and built-ins."""
