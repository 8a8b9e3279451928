"""The workflow language: typed documents, JSON Schema, loading with line numbers, lint, templates and inputs."""
