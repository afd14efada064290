"""Losses as functions of arrays, independent of methods, networks and files."""
