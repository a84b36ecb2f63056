"""What people read: the report, documents and their numbers, notebooks as they are stored, what was
measured on real faces."""
