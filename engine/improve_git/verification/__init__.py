"""Evidence: whether a pipeline's history holds together, and whether a score comes out again."""
