"""The version, alone in a file so that set-up can read it without importing."""

__version__ = '0.1.0'
