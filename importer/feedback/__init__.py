"""From a row to the feedback that is sent for it, by a table of rating words."""
