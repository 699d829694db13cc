"""Visits of people to places: a store of Parquet day files, and who met whom in it.

How it is laid out and why it is fast is told in docs/concepts/visits.md.
"""

from bihuan.epi.visits.batch import Batch, Stays
from bihuan.epi.visits.store import Appended, StoreStats, VisitStore

__all__ = ["Appended", "Batch", "Stays", "StoreStats", "VisitStore"]
