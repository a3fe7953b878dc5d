"""What colors photographs have: makes the constants of `opsin.colorization.prior`.

    python benchmarks/prior.py PHOTOGRAPHS_TAR... > prior.csv

Prints each bin's share of the pixels; on stderr the mean color.
"""

from __future__ import annotations

import sys

from opsin.colorization.bins import BINS
from opsin.colorization.prior import count
from opsin.sets.pictures import read


def main() -> None:
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    color, share = count(rgb for _, rgb in read(sys.argv[1:]))
    print("a,b,share")
    for (a, b), part in zip(BINS, share, strict=True):
        print(f"{a:.0f},{b:.0f},{part:.4g}")
    print(f"MEAN_COLOR = ({color[0]:.2f}, {color[1]:.2f})", file=sys.stderr)


if __name__ == "__main__":
    main()
