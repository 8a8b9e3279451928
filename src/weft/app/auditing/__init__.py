"""The audit log: entries are added, vouched for, proved and exported."""
