"""All that colorization is: how it answers, how it was taught, what its networks are."""
