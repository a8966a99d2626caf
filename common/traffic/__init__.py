"""How much each caller may ask for, and what is answered to a request that comes again."""
