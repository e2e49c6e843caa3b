"""Methods of the field: gradients, taking features away, layers, attention; captum's where it is right and fast."""
