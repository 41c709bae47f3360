"""What a person can ask of the archive, the posts, the channels and the topics.

Functions over the wired :class:`digest.app.App`; the command line and the page both call them.
"""
