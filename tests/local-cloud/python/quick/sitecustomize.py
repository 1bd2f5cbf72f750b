"""What makes the Python programs of a local cloud cheaper and changes nothing of what they do: MiniStack, moto, the SAM CLI.

Python imports this by itself where this directory is on its path: https://docs.python.org/3/library/site.html
"""

import functools
import gc
import sys

# What botocore does without where they are missing, and nobody here needs: its own C library, and OpenSSL beside Python's.
sys.modules["awscrt"] = sys.modules["OpenSSL"] = None

import botocore.loaders
import yaml

# The template is read several times a deployment, in pure Python otherwise.
if yaml.__with_libyaml__:
    yaml.SafeLoader, yaml.SafeDumper = yaml.CSafeLoader, yaml.CSafeDumper

# The hook that makes objects of the services' models: a dict keeps their order too, and is read in a tenth of the time.
botocore.loaders.OrderedDict = None
# And moto reads EC2's once for each of its sessions.
loader = botocore.loaders.JSONFileLoader
loader._load_file = functools.cache(loader._load_file)

# These models live as long as their program; by default the collector walks through them again and again.
gc.set_threshold(100_000, 50, 100)
