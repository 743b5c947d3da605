"""Time against rivals, all in one run, with the limit beside it: for `xent bench` and the benchmark scripts."""
