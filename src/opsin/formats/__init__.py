"""The file formats of photographs: bytes to pixels and back, and what is written about them."""
