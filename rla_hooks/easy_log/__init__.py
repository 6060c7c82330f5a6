"""Modules with the names of RLA's, for scripts written for it. They use the same Tester, logger and figures."""
