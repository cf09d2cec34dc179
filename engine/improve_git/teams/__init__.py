"""The teams that write pipelines."""
