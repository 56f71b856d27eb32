"""One report of one or several runs: a page for people, from what the runs have left in their folders."""

from .write import write_report

__all__ = ['write_report']
