"""Secrets: references in workflows, values only where and when they are used."""
