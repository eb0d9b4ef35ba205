"""`python -m dvidpy` is `dvidpy`."""

from dvidpy.cli import main

main()
