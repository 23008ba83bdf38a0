"""Ways into calls, one file each: what a plug-in is, those that there are, and those that come with the product."""
