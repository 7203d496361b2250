"""What the programs of the peers share: one step to warm up, the median of those that follow, and a JSON line about it."""
import json
import resource
import statistics
import time


def report(step, steps, batch, **fields):
    """Calls step() 1 + steps times and prints `fields`, images/s of the median and the peak of resident memory."""
    step()
    times = []
    for _ in range(steps):
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    print(json.dumps({**fields, "batch_size": batch, "images_per_second": batch / statistics.median(times),
                      "peak_rss_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))
