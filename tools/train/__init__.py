"""Toolset train, off by default: data sets and trainings."""
