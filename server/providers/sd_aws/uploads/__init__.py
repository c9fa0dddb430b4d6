"""Local files on their way to signed links: cut into parts, sent in the background, resumed where they broke off."""
