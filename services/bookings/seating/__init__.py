"""Seat plans, best seats, orphans and alternatives: pure functions without a clock.

Free and taken seats are *maps*: integers with the bit `seat id - 1` for each seat. Everything that
depends only on the plan is computed once and kept with the plan.
"""
