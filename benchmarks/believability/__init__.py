"""Does the believability of a box tell how good its mask really is? ``make believability``."""
