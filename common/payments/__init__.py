"""Real money: buying credits, developers' earnings, payouts, and what Stripe's books say."""
