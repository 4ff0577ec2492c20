"""`python -m tapezoo`."""

import sys

from tapezoo.cli import main

sys.exit(main())
