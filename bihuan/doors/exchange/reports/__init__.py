"""Documents that leave the house: set by Typst, in the reader's language, as far as her role reaches."""

from bihuan.doors.exchange.reports.investigation import investigation_report
from bihuan.doors.exchange.reports.setting import NoFont

__all__ = ["NoFont", "investigation_report"]
