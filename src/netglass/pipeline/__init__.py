"""The OpenFlow language: matches, actions, tables and cookies as text and values; pure."""
