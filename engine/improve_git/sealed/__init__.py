"""The sealed test part: opening it, and the two questions that it is opened for."""
