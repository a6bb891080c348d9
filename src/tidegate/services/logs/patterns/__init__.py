"""
CloudWatch's filter patterns: from their text to what tells if an event matches.

Source: CloudWatch Logs user guide, "Filter pattern syntax for metric filters, subscription filters, filter log events,
and Live Tail".
"""
