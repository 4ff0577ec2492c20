"""What people read: figures, tables and sentences made of measured values; the only package that imports matplotlib."""
