"""Every error Livewarden raises on purpose, in one tree.

    LivewardenError
    ├── InvalidSample        422   what was sent cannot be looked at
    │   └── SampleTooLarge   413   too long, too many pixels, too many bytes
    ├── NotFound             404   no such room, violation, model
    ├── Overloaded           503   a bounded queue that refuses is full
    ├── DeadlineExceeded     504   the answer would have come too late
    ├── ModelError           500   a model failed on this batch
    ├── NotReady             503   a part that the answer needs is not up
    └── ConfigError          500   settings, policy, list or manifest cannot work; stops the start

`streams` adds SourceUnavailable and SourceEnded in `streams/sources.py`. Messages are lower case, without a full stop, and name the
value and what would be right.
"""

from __future__ import annotations


class LivewardenError(Exception):
    """Root of the tree; `status` is the HTTP status that the API border answers with."""

    status = 500
    title = "internal error"


class InvalidSample(LivewardenError):
    """Raised when a text, picture or clip cannot be looked at: wrong type, undecodable, empty, out of range."""

    status = 422
    title = "invalid sample"


class SampleTooLarge(InvalidSample):
    """Raised when a sample is over a stated limit, before any work is spent on it."""

    status = 413
    title = "sample too large"


class NotFound(LivewardenError):
    """Raised when a room, violation, model or list of that name does not exist."""

    status = 404
    title = "not found"


class Overloaded(LivewardenError):
    """Raised when a bounded queue whose overflow rule is REJECT is full."""

    status = 503
    title = "overloaded"

    def __init__(self, message: str, *, retry_after_s: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class DeadlineExceeded(LivewardenError):
    """Raised when a sample's absolute deadline passed before it was scored."""

    status = 504
    title = "deadline exceeded"


class ModelError(LivewardenError):
    """Raised when a model failed on a batch; every sample of the batch gets this answer."""

    status = 500
    title = "model error"

    def __init__(self, lane: str, cause: BaseException) -> None:
        super().__init__(f"lane {lane}: {type(cause).__name__}: {cause}")
        self.lane = lane
        self.cause = cause


class NotReady(LivewardenError):
    """Raised when the answer needs a part (model, broker, worker) that is not up."""

    status = 503
    title = "not ready"


class ConfigError(LivewardenError):
    """Raised when settings, a policy, a word list or a manifest cannot work; names the value and the fix."""

    title = "configuration error"
