"""Who is on photographs: people whom the user has introduced, and a file that remembers them."""
