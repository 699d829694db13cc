"""What the web server serves."""

import importlib
import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bihuan.config.settings")
application = get_wsgi_application()

# Commands leave these until somebody needs them; here the first who asks should not wait a second for them.
for _slow in ("pypinyin.constants", "bihuan.epi.chains.offspring"):
    importlib.import_module(_slow)
