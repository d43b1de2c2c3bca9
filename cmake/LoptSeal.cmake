# Ends a library with the SHA-256 of its bytes, so that the runner can tell a damaged copy. Loaders ignore what follows.
file(SHA256 ${FILE} hash)
file(APPEND ${FILE} "\nlopt-seal-sha256:${hash}")
