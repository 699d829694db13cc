"""The Farrington family: a count against a regression on the same season of earlier years.

settings.py   every parameter of one run, checked, with where its default comes from
baseline.py   which earlier periods are the baseline, and in which season block each lies
glm.py        log-linear Poisson fits of thousands of series and periods at once
weights.py    dispersion, Anscombe residuals, and weights that take past outbreaks down
threshold.py  from a fit to upper bound and p-value: delta, nbPlugin, muan
run.py        the steps in order, in portions that fit the processor's cache
flexible.py   the improved method of Noufaily et al. 2013
classic.py    the method of Farrington et al. 1996
"""

from bihuan.epi.detection.farrington.classic import farrington
from bihuan.epi.detection.farrington.flexible import farrington_flexible

__all__ = ["farrington", "farrington_flexible"]
