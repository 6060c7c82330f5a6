"""RLA's own doors: the imperative face. They open onto the same Tester, logger and figures as ``import rla_hooks``."""
