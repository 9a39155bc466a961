"""Verdicts → what the partner is told. Pure: values in, bytes out."""
