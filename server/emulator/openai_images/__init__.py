"""OpenAI's images API as anybody reaches it: words to pictures, edits with masks, streams, models."""
