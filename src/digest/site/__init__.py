"""The archive as a reader sees it: pages for any web host, or opened from a disk.

    pages    what was published -> the name of each file and how it is made
    words    what the pages say besides the posts, in three languages
    folder   files -> a folder, whole and at once each; nothing that is not ours is touched

All links are relative, nothing is loaded from elsewhere, and without JavaScript only the search is missing.
"""

from digest.site.folder import Built, put
from digest.site.pages import Archive, is_public, pages

__all__ = ["Archive", "Built", "is_public", "pages", "put"]
