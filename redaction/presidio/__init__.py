"""Presidio behind one small door: the only package that imports it, and it costs a second and 100 MB to do so."""
