"""The documents of the workflow language as Pydantic models, one module a section."""
