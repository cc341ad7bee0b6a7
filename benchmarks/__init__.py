"""How fast Backstage is, as ratios to doing the same by hand: `python -m benchmarks`."""
