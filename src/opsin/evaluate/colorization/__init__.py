"""How good colorizers are, in figures and side by side."""
