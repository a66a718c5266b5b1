"""From frames, masks and boxes to network inputs and targets."""
