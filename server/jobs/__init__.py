"""What we promised: jobs from the write-ahead to the stored pictures. Knows no HTTP."""
