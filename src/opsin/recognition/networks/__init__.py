"""Networks that name what they see, one file a paper."""
