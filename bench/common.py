"""What the measurements share; script/bench does not run this file."""
import signal
import sys


def begin():
    """Lets `with` and `finally` clean up when the measurement is ended."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


def ratio(what, peer, value):
    """One comparison, in the one form: above 1, `what` is the better."""
    print(f"ratio {value:9.2f}  {what}, against {peer}", flush=True)
