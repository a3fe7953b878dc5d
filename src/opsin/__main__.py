"""`python -m opsin` is `opsin`."""

import sys

from opsin.cli import main

sys.exit(main())
