"""The parts of the loopback arXiv (tests/replay.py): its papers, its three services, its faults."""
