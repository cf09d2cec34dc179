"""One more phase of the harness: brings trained weights into other formats, and checks them.

The engine lays it beside each job that needs it. The harness itself stays as it is, since a score
counts for the very harness and image that it was measured with.
"""
