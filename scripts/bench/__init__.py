"""Benchmarks: speed, memory and errors, beside other programs and over processes."""
