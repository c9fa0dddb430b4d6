"""What an OpenAI-compatible endpoint does, a file for each capability."""
