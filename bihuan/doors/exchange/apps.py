from django.apps import AppConfig


class ExchangeConfig(AppConfig):
    name = "bihuan.doors.exchange"
    label = "exchange"
