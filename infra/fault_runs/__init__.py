"""`infra/faults`: many seeds of the simulation, on several processes, with a record of the run."""
