"""Atelier: an image studio for LLM agents."""
