"""Typed settings: what they are, how they are composed and checked."""
