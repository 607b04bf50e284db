"""Which seats: plans of rooms, best seats, orphans and alternatives. Pure, and without a clock.

Free and taken seats are one integer, a *map*: bit `seat id - 1` of it is that seat. All that a
choice needs of a plan is computed once, and kept for as long as the plan.
"""
