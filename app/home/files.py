"""Names of files in a home that light processes share: the supervisor, app.people.sessions. Standard library alone."""

Standard library alone; read by the supervisor and by app.people.sessions.
"""

LINK = "login-link"  # the last printed login link
