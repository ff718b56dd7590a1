"""Names of files in a home that light processes share: the supervisor, app.people.sessions. Standard library alone."""

LINK = "login-link"  # the last printed login link

# the way out to the network: variables that a process with business there may see
NETWORK = ("HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "https_proxy", "http_proxy", "no_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR")
