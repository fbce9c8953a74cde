"""Benchmarks: speed, memory and errors, compared with other programs and over processes."""
