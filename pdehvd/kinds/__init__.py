"""The built-in kinds of problems: a module of a kind's name registers what owns it."""
