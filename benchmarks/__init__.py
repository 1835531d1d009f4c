"""What is measured: ways side by side in one run, and their ratios."""
