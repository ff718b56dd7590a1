"""Names of files in a home that light processes share: the supervisor, app.people.sessions. Standard library alone."""

LINK = "login-link"  # the last printed login link
OPEN_LOCK = ".open.lock"  # held while a home is opened, or restored
UNFINISHED = ".restoring"  # a folder: this home is being restored, or was when it broke off

# the way out to the network: variables that a process with business there may see
NETWORK = ("HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "https_proxy", "http_proxy", "no_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR")
