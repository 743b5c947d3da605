"""Rows to learn from: scikit-learn's bundled sets, CSV, Parquet, NPZ and IDX files, and synthetic sets. The ground floor.

`load` finds the reader for a name or a path. `table` says what a data set is, `splitting` cuts it into train, tuning and test
parts and prepares the numbers with what the training part alone knows; the other files are one reader each.
"""

from xent.data.loading import load as load
from xent.data.splitting import Split as Split
from xent.data.splitting import set_apart as set_apart
from xent.data.splitting import split as split
from xent.data.table import Data as Data
