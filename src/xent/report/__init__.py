"""Reports: pages that a person reads, one self-contained HTML file each, offline.

Stands on `article`, `doctor` and `texts`; shows what they hold and computes nothing. `article` is the report of `xent reproduce`,
`doctor` that of `xent doctor`.
"""

from xent.report.article import article as article
from xent.report.diagnosis import doctor as doctor
