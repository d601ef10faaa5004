"""The `tracerlake` command line."""
