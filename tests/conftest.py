"""What must be set before scipy and scikit-learn are imported."""

import os

os.environ.setdefault("SCIPY_ARRAY_API", "1")  # scikit-learn skips its check of array input without it
