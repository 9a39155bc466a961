"""One file per change of the tables, in the order they were made."""
