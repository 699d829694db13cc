"""Measurements against the bars of the issues: `python3 bihuan.py bench NAME`."""
