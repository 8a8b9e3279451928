"""Telling others what happens: webhooks, mail, and the news of the live stream, all of the same envelopes."""
