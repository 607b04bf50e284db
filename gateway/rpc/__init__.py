"""Calling RPCs: deadlines, retries, batches, and failures."""
