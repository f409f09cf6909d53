"""Where records of the past are read from: files, a search cluster, Kafka, a host's own journal. One file each, one port."""
