"""Runs that start by themselves: schedules, triggers, and the worker that fires them and drives what is due."""
