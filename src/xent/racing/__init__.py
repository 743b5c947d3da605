"""Races: which output learns best on these data, answered with every choice fixed beforehand. Stands on `network` and `data`.

`plan` fixes every choice; `heats` are pure functions of the plan; `store` keeps what they measured; `running` has them run on
cores or a cluster; `rates` picks each output's rate on tuning rows; `statistics` and `verdict` judge fresh seeds on test rows;
`result` is the whole.
"""

from xent.racing.plan import Plan as Plan
from xent.racing.result import Race as Race
from xent.racing.result import race as race
from xent.racing.verdict import Verdict as Verdict
