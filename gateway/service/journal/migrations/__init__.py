"""Alembic's folder: how a journal gets from one version of the tables to the next."""
