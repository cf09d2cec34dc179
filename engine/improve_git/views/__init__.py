"""A search as people look at it: plain data for the screens, plots, one page."""
