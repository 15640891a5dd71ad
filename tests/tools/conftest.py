"""Makes the scripts of `tools` and the extension of the book importable by their names."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "book/_ext")]
