"""`lading ship kubernetes`: a kustomize base, overlays and a component, each object made from the plan."""
