"""Kills and faults while jobs are paid for: ``python -m tests.chaos`` at length, ``pytest tests/chaos`` bounded."""
