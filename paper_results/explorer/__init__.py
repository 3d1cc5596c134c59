"""One page on which stored runs are looked at by hand: no network, nothing but this file."""
