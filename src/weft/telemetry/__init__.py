"""Traces, metrics and logs, all projections of what already happened; and redaction before anything leaves."""
