"""dvidpy.pointclouds.optimizing by the name of PoCADuck's script."""

from __future__ import annotations

import sys

from dvidpy.pointclouds import optimizing

if __name__ == "__main__":
    optimizing.main()
sys.modules[__name__] = optimizing
