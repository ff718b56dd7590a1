"""placeholder head, replaced below"""


def commands() -> None: ...
