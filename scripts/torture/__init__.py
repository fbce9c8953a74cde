"""Kills runs at chosen moments, resumes them, and compares the result with an undisturbed run."""
