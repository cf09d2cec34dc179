"""Handing trained weights on."""
