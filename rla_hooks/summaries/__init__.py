"""Makes what a SummaryWriter is given into what writers take: pictures, histograms, sounds, arrays for plugins.

The functions know no run. They raise ConfigError for what they cannot use, and whatever the conversion of a foreign
object raises.
"""
