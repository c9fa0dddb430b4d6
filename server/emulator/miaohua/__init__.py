"""Miaohua v1b: images from words, descriptions, data sets and LoRA training, strict by its contract."""
