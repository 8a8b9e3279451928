"""Telling others what happened: live, in order, and never history. The journal is the truth; the bus may forget."""
