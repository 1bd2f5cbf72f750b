"""What makes the Python programs of a local cloud cheaper and changes nothing of what they do: MiniStack, moto, the SAM CLI.

Python imports this by itself where this directory is on its path: https://docs.python.org/3/library/site.html
"""

import gc

import botocore.loaders
import yaml

# The template is read several times a deployment, in pure Python otherwise.
if yaml.__with_libyaml__:
    yaml.SafeLoader, yaml.SafeDumper = yaml.CSafeLoader, yaml.CSafeDumper

# The hook that makes objects of the services' models: a dict keeps their order too, and is read in a tenth of the time.
botocore.loaders.OrderedDict = None

# These models live as long as their program; by default the collector walks through them again and again.
gc.set_threshold(100_000, 50, 100)
