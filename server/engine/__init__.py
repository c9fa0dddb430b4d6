"""Image processing on the CPU: pure functions from pixels and words to pixels, no neural model, no network.

``worker_functions`` holds the calls there are: encoded images and plain values in, encoded images out. ``pool`` makes
these calls in worker processes, and ``tasks`` is the data they exchange; those two import nothing heavy, so the server
and the emulator may load them. Everything else loads OpenCV and NumPy and lives in the workers alone.

Images inside are RGB ``uint8`` arrays of shape ``(height, width, 3)`` (see ``pixels``). The same arguments and seed
give the same bytes: the tests compare digests, so a change of an operation's order or of a dtype shows.
"""
