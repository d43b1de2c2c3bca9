"""Names that NumPy has too."""

import numpy as np

float32, int32, uint32, bool_ = np.float32, np.int32, np.uint32, np.bool_
pi, e, inf, nan, newaxis = np.pi, np.e, np.inf, np.nan, None
