"""HTTP: translates requests for the service and answers for the wire, and knows nothing else."""
