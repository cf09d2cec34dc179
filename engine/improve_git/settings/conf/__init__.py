"""The groups that Hydra composes the settings from; the types are in ``schema``."""
