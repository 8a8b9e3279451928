"""One module a provider, each with `open_model(ref, access)`; the registry imports them by name when they are needed."""
