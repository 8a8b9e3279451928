"""Workflows written in Python: builders that make documents, and functions that ask for their steps themselves."""
