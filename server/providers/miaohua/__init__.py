"""SenseTime Miaohua v1b: pictures from words, descriptions, data sets, LoRA training and uploads."""
