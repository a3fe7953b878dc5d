"""Objects: what things are on photographs, and where."""
