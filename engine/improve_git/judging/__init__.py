"""Scores and the decision: pure functions of what was predicted."""
