"""Programs that are not part of pdehvd: setup, measurements, campaigns.

A package is started as `python -m scripts.NAME`, a program among several as
`python -m scripts.PACKAGE.NAME`, both in the folder of the repository.
"""
