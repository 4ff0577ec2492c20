"""The transport of a tape machine: delays over time, learned from recordings and made anew."""
