"""Faces: where they are on photographs."""
