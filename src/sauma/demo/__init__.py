"""A synthetic Finland and the main job played in it."""
