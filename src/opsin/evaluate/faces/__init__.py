"""How well faces are told apart, by protocol."""
