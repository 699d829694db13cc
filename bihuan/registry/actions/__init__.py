"""Verbs of the registry: each checks the right, writes, and leaves its trace in one transaction."""
