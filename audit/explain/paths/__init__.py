"""Attribution along paths from the baseline to the row: to a tolerance, exact at kinks, from many baselines."""
