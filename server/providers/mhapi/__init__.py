"""SenseTime's open image API (MHAPI): pictures from words, edits, faces and LoRA training."""
