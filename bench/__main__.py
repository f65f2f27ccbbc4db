"""``python -m bench`` is ``regionbench``."""

from bench.cli import main

raise SystemExit(main())
