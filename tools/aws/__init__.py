"""Toolset aws, off by default: what belongs to a deployment of Stable Diffusion on AWS."""
