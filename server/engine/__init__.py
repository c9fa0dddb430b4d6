"""How pictures are made on the CPU: pure functions from pixels and words to pixels, no neural model, no network."""
