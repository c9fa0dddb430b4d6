"""What a package with a provider of its own tests it with: a scripted upstream, and the contract of every provider.

Our own tests use the same. It needs pytest, which nothing else here does; ``atelier_mcp.testing`` is its front door.
"""
