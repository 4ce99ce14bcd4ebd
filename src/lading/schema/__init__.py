"""What goes in and what comes out: fields, learning them, decoding requests by them, describing them."""
