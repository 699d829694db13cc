"""Pure decisions about contacts: words, the window of infectiousness, restart on a new exposure. No
Django.
"""

from bihuan.tracing.rules.exposure import later_exposure
from bihuan.tracing.rules.words import OPEN_STATUSES, ExposureKind, Status

__all__ = ["OPEN_STATUSES", "ExposureKind", "Status", "later_exposure"]
