"""Adapters to peer libraries, one module for each; only here are those libraries imported."""
