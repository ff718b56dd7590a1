"""What grows with a desk, and by how much: `python -m bench scale [--part NAME] [--anew]`. docs/scale.md has the figures."""
