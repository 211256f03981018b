"""Choose a port, claim it, keep it, and lint what files declare: observations and the map come in as arguments."""
