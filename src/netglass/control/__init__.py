"""Decisions on intent: from a request and a snapshot to changes, or to an error for the reader; pure."""
