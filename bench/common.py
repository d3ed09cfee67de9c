"""What the measurements share; script/bench does not run this file."""
import signal
import sys


def begin():
    """Lets `with` and `finally` clean up when the measurement is ended."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


ROW = "{:34} {:>12} {:>12} {:>12} {:>12} {:>8} {:>9}"


class Table:
    """Figures beside their peers' and what is aimed at; printed at the end,
    for they come one by one and minutes apart."""

    def __init__(self, *peers):
        self.rows = [ROW.format(
            "", "khien", *peers, *[""] * (3 - len(peers)), "ratio", "aim")]

    def add(self, figure, aim, ours, *peers):
        """Numbers, or "-" where a peer has none; the less the better.  The
        ratio is to the first peer that has one."""
        numbers = [p for p in peers if p != "-"]
        cells = [c if c == "-" else "%.2f" % c for c in (ours, *peers)]
        cells += ["-"] * (4 - len(cells))
        self.rows.append(ROW.format(
            figure, *cells,
            "%.1f" % (numbers[0] / max(ours, 0.01)) if numbers else "-", aim))

    def show(self):
        print("\n".join(self.rows), flush=True)


def ratio(what, peer, value):
    """One comparison, in the one form: above 1, `what` is the better."""
    print(f"ratio {value:9.2f}  {what}, against {peer}", flush=True)
