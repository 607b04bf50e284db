"""Sample data: events and a cinema, loaded through the REST contract.

Loading it again changes nothing, except that screenings of later days are added.
"""
