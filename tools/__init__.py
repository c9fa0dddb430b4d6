"""What the model sees: one public tool per file; file, function and tool share their name."""
