"""Reach tools of MCP servers: processes and services that speak the Model Context Protocol."""
