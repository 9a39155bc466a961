"""Typed settings from conf/ and flows/: an unknown key is an error that names its path."""
