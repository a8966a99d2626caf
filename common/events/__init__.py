"""The log of what happened to a consumer or developer: written with the change it tells of."""
