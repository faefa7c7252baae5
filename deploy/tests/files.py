def run(checks, binary): pass
def live_metrics(checks, text): pass
