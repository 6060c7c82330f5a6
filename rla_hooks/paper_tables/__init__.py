"""Tables of scores as papers have them: Markdown, and LaTeX for booktabs."""
