"""Stable Diffusion on AWS behind the provider protocol, whichever generation of its middleware is deployed."""
