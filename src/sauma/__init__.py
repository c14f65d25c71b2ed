"""Sauma: lawful, provable exchange of social-assistance case data between Kela and the counties."""
