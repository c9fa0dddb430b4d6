"""Who does the work: one folder per upstream, behind one protocol."""
