"""Values that travel along the line: frozen, slotted, typed. Standard library and msgspec only."""
