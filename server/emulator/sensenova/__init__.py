"""SenseNova's two conversations: plain completions, and one that draws when it is asked to."""
