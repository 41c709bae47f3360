"""The page: the archive searched, posts read and edited, keys judged, in a browser.

Pages are made on the server and need no JavaScript; what they show and do is what `digest.actions` gives
and does, as on the command line. ``app`` puts the pages together, ``visit`` is what each is given,
``guard`` and ``access`` are who may ask for them and how. A module for each group of pages.
"""
