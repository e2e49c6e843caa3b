"""Groups compared: rates, gaps with honest intervals, chance, tests, aggregates, and bounds."""
