"""What a trained model makes of images, measured: config and checkpoint in, one dict of numbers out."""

from .file import read_reports, write_reports
from .report import representation_report
from .sources import Source, labels_of, read_sources

__all__ = ['Source', 'labels_of', 'read_reports', 'read_sources', 'representation_report', 'write_reports']
