"""Reports: pages that a person reads, one self-contained HTML file each, offline.

Stands on `article` and `texts`; shows what they hold and computes nothing. `article` is the report of `xent reproduce`.
"""

from xent.report.article import article as article
