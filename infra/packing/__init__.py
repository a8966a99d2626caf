"""What is deployed: one archive a function, of exactly what that function runs."""
