"""Names of files in a home that light processes share: the supervisor, app.people.sessions. Standard library alone."""

LINK = "login-link"  # the last printed login link
