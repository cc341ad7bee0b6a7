"""What happens to Acts, told as it happens."""
