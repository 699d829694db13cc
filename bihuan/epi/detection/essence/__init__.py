"""Detectors of daily syndromic counts as the National Syndromic Surveillance Program's ESSENCE uses them."""

from bihuan.epi.detection.essence.ewma import ewma
from bihuan.epi.detection.essence.nbinom import nbinom_alert
from bihuan.epi.detection.essence.regression import regression
from bihuan.epi.detection.essence.switch import switch

__all__ = ["ewma", "nbinom_alert", "regression", "switch"]
