"""What each room of bookings is built of: one module for each group of rooms.

Each function adds the servicers of its rooms to the server, and returns their workers. Rules do not
belong here.
"""
