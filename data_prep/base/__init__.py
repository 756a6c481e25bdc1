"""What every part needs and no part owns: errors, commands, files, processes. Standard library only."""
