"""The whole program in one process under a seeded clock, network, disk and random numbers: see life.py."""
