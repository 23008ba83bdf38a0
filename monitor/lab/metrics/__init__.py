"""Error rates, areas, intervals and curves: pure functions of scores and labels."""
