"""Camera photos to object crops: who is in the picture, where its outline runs, and whether it is good enough."""
