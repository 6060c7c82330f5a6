"""Modules with the names of RLA's, for scripts that plot with them: they draw with rla.plot_curves."""
