"""How numbers are written, and result files kept whole."""


def seconds(value):
    if value is None:
        return "-"
    return f"{value:.{4 if value < 0.1 else 3 if value < 10 else 1}f}"


def ratio(value):
    return "" if value is None else f"{value:.2g}x" if value < 100 else f"{value:.0f}x"


def replace(path, text):
    unfinished = path.with_name(path.name + ".unfinished")
    unfinished.write_text(text)
    unfinished.replace(path)
