"""The inventory at the desk: proposals, changes in a person's name, what was declared against what was used."""
