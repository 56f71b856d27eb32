"""Sentences in place of the errors that a name or an argument in a config has led to."""

import re

from mmdrl import registry
from mmdrl.errors import ConfigError

# How the registry and Python word a name or an argument of a class that does not exist.
_CONFIG_MISTAKE = re.compile(
    r'is not in the .* registry|__init__\(\) (got an unexpected keyword argument|missing .* required)'
)


def tell_config_mistake(error: Exception) -> None:
    """Raise a sentence if the error is one of these.

    Raises:
        ConfigError: The sentence.
    """
    message = str(error.args[0]) if error.args else ''
    if _CONFIG_MISTAKE.search(message):
        hint = ''
        named = re.match(r'[\'"]?(\w+)[\'"]? is not in the', message)
        nodes = [node for node in vars(registry).values() if isinstance(node, registry.ScopedRegistry)]
        if named and any(named[1] in node.module_dict for node in nodes):
            hint = f' Did you mean mmdrl.{named[1]}?'
        elif 'unexpected keyword' in message:
            hint = ' (A dict that changes an inherited one keeps its keys, unless it has _delete_=True.)'
        raise ConfigError(f'The config does not fit: {message}{hint}') from error
