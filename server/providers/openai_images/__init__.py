"""OpenAI's images API and the many servers that speak its dialect (contract: docs/contracts/openai_images.md)."""
