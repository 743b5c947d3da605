"""Reports: pages that a person reads, one self-contained HTML file each, offline.

Stands on `article`, `racing`, `doctor`, `figures` and `texts`; shows what they hold and computes nothing. `article` is the report
of `xent reproduce`, `race` that of a race, `doctor` that of `xent doctor`.
"""

from xent.report.article import article as article
from xent.report.diagnosis import doctor as doctor
from xent.report.race import race as race
from xent.report.race import race_call as race_call
from xent.report.race import race_figures as race_figures
