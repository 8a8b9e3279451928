"""Perform an agent call: build the agent, journal its model and tool calls, keep its conversation, type its output."""
