"""PyYAML by libyaml, for the SAM CLI and MiniStack: both read the template several times a deployment, in pure Python.

Python imports this by itself where this directory is on its path: https://docs.python.org/3/library/site.html
"""

import yaml

if yaml.__with_libyaml__:
    yaml.SafeLoader, yaml.SafeDumper = yaml.CSafeLoader, yaml.CSafeDumper
