"""Calls that go on after they were answered: the protocol's tasks, for clients that declare its extension for them."""
