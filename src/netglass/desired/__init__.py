"""The contract between compiling and applying: what a host must look like, and how two such states differ."""
