"""Alerts the gateway tells by itself: what began and what is over, to a webhook and by mail.

facts (what the watches saw) ─▶ conditions (against [alerts]) ─▶ watch: began, over, COMMIT
└─▶ telling, by receiver
"""
