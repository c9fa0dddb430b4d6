"""Measured figures beside their targets: ``python -m tests.bench``. Not collected by pytest."""
