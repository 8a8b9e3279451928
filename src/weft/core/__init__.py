"""Ids, clock, errors, settings, canonical JSON and hashing: the vocabulary of every other room."""
