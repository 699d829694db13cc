from django.apps import AppConfig
from django.db.models.signals import post_migrate


class RegistryConfig(AppConfig):
    name = "bihuan.registry"
    label = "registry"
    verbose_name = "registry"

    def ready(self) -> None:
        from bihuan.registry import rls, shredder

        shredder.register_own()
        post_migrate.connect(rls.grant_to_door, sender=self, dispatch_uid="bihuan.registry.grants")
