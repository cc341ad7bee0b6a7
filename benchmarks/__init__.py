"""The speed of Backstage, as ratios to doing the same by hand: `python -m benchmarks`."""
