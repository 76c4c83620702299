"""The paper's experiments on any pair: recipes, archives, a sheet and a page each."""
