"""HTTP: the control API and the protocols, all of them over one `weft.app.hosting.Host`."""
