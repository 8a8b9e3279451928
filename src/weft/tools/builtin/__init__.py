"""The tools that come with Weft. None can leave the working folder, and none reaches the network."""
