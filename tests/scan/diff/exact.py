def run(both, number):
    return True
