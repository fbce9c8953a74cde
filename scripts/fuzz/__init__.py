"""Bad configs, tables, fields and run directories at random."""
