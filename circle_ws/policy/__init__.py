"""What to do after a failure, and when; pure: clock and randomness come in as arguments."""

from .backoff import Backoff
from .liveness import KeepAlive
from .verdict import Classifier, Failure, Reason, Verdict, classify, reason_of

__all__ = ["Backoff", "Classifier", "Failure", "KeepAlive", "Reason", "Verdict", "classify", "reason_of"]
