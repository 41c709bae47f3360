"""How good the keys and the ranking of a topic are, measured against lists made by experts.

``labels`` reads the lists, ``intervals`` says how far a figure can be trusted, ``keys`` and
``ranking`` hold the metrics and the baselines that run beside ours on the same papers.

Lists are incomplete: whatever counts papers that are not listed as wrong is a lower bound.
"""
