"""From images on disk to a divided, profiled data set and its packs."""
