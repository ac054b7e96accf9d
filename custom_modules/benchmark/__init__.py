"""What tools/benchmark.py measures, and the public projects it compares with."""
