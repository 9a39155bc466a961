"""Lifecycle messages (UN/CEFACT CDAR D22B): what becomes of an invoice, told and read.

    judged      verdicts ─▶ DocumentStatus ─┐
    asked for   request ─▶ composing ───────┴▶ sending.assembled ─▶ Message ─▶ message_writer
    received    message_reader ─▶ Message                                        │
                checking (XSD, Schematron) ◀─────────────────────────────────────┘

`values` are what a message says, `layout` where it says it, `statuses` and `reasons` what may be
said, `names` what it is called.
"""
