"""Paint, an image service, as a provider of Atelier."""
