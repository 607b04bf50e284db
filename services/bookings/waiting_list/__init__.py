"""The waiting list: booking or joining it by the key of an event, leaving and reading it.

Has the servicer of WaitingListService, and sends notices to users who got seats. `inventory`
decides who is served.
"""
