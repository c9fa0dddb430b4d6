"""What public clients and frameworks see of the server."""
