"""What a pipeline leaves in Git: written, read back, told in its order."""
