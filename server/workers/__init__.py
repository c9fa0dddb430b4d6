"""Worker processes: calls of named functions, made outside of the server's process and ended when they take too much.

``pool`` is the side of the event loop, ``process`` its end of one worker, ``child`` the program that a worker runs.
"""
