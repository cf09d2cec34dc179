"""Hostile candidates put through the real path, to show on this machine that the walls hold."""
