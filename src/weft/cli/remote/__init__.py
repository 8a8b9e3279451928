"""The commands against a running service: the same interface as in this process, answered over the control API."""
