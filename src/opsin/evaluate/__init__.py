"""How good is it: each task's figures, with intervals and beside plain baselines."""
