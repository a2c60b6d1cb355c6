"""The first document, part 2 of "Diving into OpenStack Network Architecture": a module for each of its use cases."""
