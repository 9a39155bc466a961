"""AS2 on the network: messages come in, acknowledgements go out, receipts travel both ways.

receiving   `POST /as2`: a message, and its receipt
receipts    receipts of ours, as rows of the outbox; returning: those that go to a URL
sending     acknowledgements of ours, and the receipts for them
posting     one POST to a partner's server
patience    deliveries that take long do not hold back others
partners    who is who
crypto      the worker processes that hold the keys
service     all of it together
"""

from gateway.service.as2.service import As2Service

__all__ = ["As2Service"]
