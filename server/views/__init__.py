"""What people see: the built single-file pages, and beside them in ``source`` what they are built from."""
