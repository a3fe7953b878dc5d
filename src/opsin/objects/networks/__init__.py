"""Networks that find things, a file each."""
