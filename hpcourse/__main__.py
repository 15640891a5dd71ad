"""``python -m hpcourse`` is the command ``hpcourse``."""

import sys

from hpcourse.cli import main

sys.exit(main())
