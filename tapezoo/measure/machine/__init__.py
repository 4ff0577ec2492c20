"""What is measured of a machine that can be played: a net, a bundle, a virtual machine. Values only, no pictures."""
