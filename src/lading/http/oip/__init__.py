"""The Open Inference Protocol (V2) over REST, and `:predict` of KServe's V1."""
