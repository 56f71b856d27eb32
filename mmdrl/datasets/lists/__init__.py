"""Images named by lists of paths and labels, the published long-tailed sets among them."""
