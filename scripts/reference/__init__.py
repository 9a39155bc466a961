"""Pages of the reference that are made from what the gateway itself reads and publishes.

    python -m scripts.reference

writes them into docs/reference; tests/docs/test_reference.py wants them as they would be written.
"""
