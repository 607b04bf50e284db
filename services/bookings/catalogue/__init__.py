"""The catalogue as bookings keeps it: followed, compared, and read where it is missing."""
