"""Whole workflows in a simulated world: virtual time, scripted agents, faults drawn from a seed."""
