"""Work that must follow a commit: a row that is written with the change it follows."""
