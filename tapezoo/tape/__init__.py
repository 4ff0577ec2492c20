"""What is random in a tape machine: wow, flutter and hiss, learned from recordings and made anew."""
