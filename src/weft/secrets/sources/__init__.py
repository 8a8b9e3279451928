"""Where secrets are kept: one module a place, each behind `weft.secrets.port.Source`."""
