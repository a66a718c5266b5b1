"""Do better masks make better detectors? One small SpotNet, several labelers' masks of the same frames."""
