"""improve-git: agents improve an image-classification pipeline one file at a time, in Git.

Importing this package does nothing; every heavy library is imported where it is used.
"""

__version__ = "0.1.0"
