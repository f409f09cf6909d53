"""Journal rows → findings: the pure pipeline, and around it the processes, threads and files that keep it going."""
