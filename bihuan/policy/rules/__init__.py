"""Pure: packs as data, read, checked and laid over each other. No Django, no clock, no settings."""
