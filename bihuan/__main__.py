import sys

from bihuan.config.command import main

sys.exit(main())
