"""The other side of the wire: the upstream services as an ASGI application, with tasks, links, faults and accounts."""
