"""What people read: figures, tables and sentences made of measured values; the one place that knows matplotlib."""
