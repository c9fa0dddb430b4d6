"""The generation of 2023: thirty documented calls, and those that were deployed in place of some of them."""
