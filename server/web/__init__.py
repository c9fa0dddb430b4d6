"""Atelier over HTTP: routes, who is let in, signed links, and the gallery for the person who runs it."""
