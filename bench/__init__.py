"""What Tidegate costs and how fast it is, measured beside what it is made of."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
