"""The budgets, measured: a live call into a real sidecar process, and the same session taken apart in this process.

Whatever is timed here is timed from outside, by wrappers and by /proc; the product holds no code for it.
"""
