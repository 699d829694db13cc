from django.apps import AppConfig


class PolicyConfig(AppConfig):
    name = "bihuan.policy"
    label = "policy"
