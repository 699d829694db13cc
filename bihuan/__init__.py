"""Bihuan (闭环): the open platform a city, a province or a country runs an epidemic on."""

__version__ = "0.1.0"
