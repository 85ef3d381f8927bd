"""How fast training is: the same nets on the same rows in Isthmus, its peers, and bare matrix products."""
