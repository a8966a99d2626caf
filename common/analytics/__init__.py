"""What the business makes: margins per model, and GPU time against the provider's bill."""
