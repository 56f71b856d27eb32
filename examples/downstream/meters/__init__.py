"""Reads the digits of electricity meters."""
