"""The pure part of the loop engine: definitions, state, slots, ladder. Nothing here imports Django."""
