"""The command ``scopegate``: one module for each noun."""
