"""One row to the service and back: the request, what its answer means, and what follows."""
