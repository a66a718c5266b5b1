"""Why a mask is as it is: what the rules said of a box, what it was made from, what would make it stale."""
