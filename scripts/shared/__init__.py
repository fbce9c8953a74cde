"""What scripts of several topics use; it imports none of them."""
