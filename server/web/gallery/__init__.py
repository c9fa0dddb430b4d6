"""The gallery at ``/``: the library and the jobs of this server, for the person who runs it."""
