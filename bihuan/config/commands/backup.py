def backup():
    pass


def restore():
    pass
