"""What the model sees: one public tool per file; file, function and tool share their name.

A folder holds a toolset that is off by default and is named after it: it is read only when it is asked for.
"""
