"""Who may come in: tokens of other issuers, their keys, signing in with a browser, and the cookie afterwards."""
