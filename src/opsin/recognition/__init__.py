"""What a photograph shows, as names with probabilities: classes of things, of cars, of faces."""
