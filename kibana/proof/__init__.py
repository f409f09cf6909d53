"""The files read again as a product would read them: are they whole, what do they ask of a cluster, how does the answer look."""
