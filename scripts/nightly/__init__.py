"""What takes longer than the tests: stated errors, cases, campaigns."""
