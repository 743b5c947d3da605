"""The doctor: why a PyTorch model learns slowly, and whether its cost is the cause. Loaded by `xent.torch` alone.

Stands on `outputs` and `texts`. `trace` holds what really ran, as `following` saw it, `observe` runs it on a copy (`guard`),
`natures` say what each value is and `carrying` where its elements go, `sites` where answers meet targets, `pairing` what each
sample's error gets as correction, `evidence` gathers all that for the `rules`, `cure` and `goal` try what would be better,
`diagnosis` says it, `watching` does it while training.
"""

from xent.doctor.diagnosing import diagnose as diagnose
from xent.doctor.diagnosis import Diagnosis as Diagnosis
from xent.doctor.diagnosis import Finding as Finding
from xent.doctor.watching import watch as watch
