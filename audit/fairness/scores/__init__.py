"""What scores say of groups beyond decisions."""
